//! Users, invites, tokens, keys and the audit log.

use arb_core::port::{
    AccountStore, ApiKey, AuditEntry, Invite, NewUser, Page, RefreshToken, UserChange, UserRecord,
};
use arb_core::{StoreError, Timestamp};
use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::SqliteStore;
use super::cells::{Cells, int, name_of};
use super::error::{failed, taken};

const USERS: &str = "users";
const INVITES: &str = "invite_codes";
const TOKENS: &str = "refresh_tokens";
const KEYS: &str = "api_keys";
const AUDIT: &str = "audit_log";

type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

async fn changed(conn: &mut SqliteConnection, query: Query) -> Result<u64, StoreError> {
    Ok(query.execute(conn).await.map_err(failed)?.rows_affected())
}

async fn one<T>(
    conn: &mut SqliteConnection,
    query: Query,
    of: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let row = query.fetch_optional(conn).await.map_err(failed)?;
    row.as_ref().map(of).transpose()
}

async fn all<T>(
    conn: &mut SqliteConnection,
    query: Query,
    of: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    query.fetch_all(conn).await.map_err(failed)?.iter().map(of).collect()
}

fn user_of(row: &SqliteRow) -> Result<UserRecord, StoreError> {
    let c = Cells::new(USERS, row);
    Ok(UserRecord {
        id: c.number("id")?,
        email: c.get("email")?,
        password_hash: c.get("password_hash")?,
        role: c.named("role")?,
        created_at: c.ms("created_at_ms")?,
        banned_at: c.opt_ms("banned_at_ms")?,
    })
}

fn invite_of(row: &SqliteRow) -> Result<Invite, StoreError> {
    let c = Cells::new(INVITES, row);
    Ok(Invite {
        code: c.get("code")?,
        role: c.named("role")?,
        uses_left: c.get("uses_left")?,
        expires_at: c.opt_ms("expires_at_ms")?,
        created_by: c.get::<Option<i64>>("created_by")?.map(i64::unsigned_abs),
        created_at: c.ms("created_at_ms")?,
    })
}

fn token_of(row: &SqliteRow) -> Result<RefreshToken, StoreError> {
    let c = Cells::new(TOKENS, row);
    Ok(RefreshToken {
        hash: c.get("hash")?,
        family: c.get("family")?,
        user: c.number("user_id")?,
        issued_at: c.ms("issued_at_ms")?,
        expires_at: c.ms("expires_at_ms")?,
        replaced_at: c.opt_ms("replaced_at_ms")?,
        revoked_at: c.opt_ms("revoked_at_ms")?,
    })
}

fn key_of(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    let c = Cells::new(KEYS, row);
    let scopes: String = c.get("scopes")?;
    Ok(ApiKey {
        id: c.number("id")?,
        user: c.number("user_id")?,
        name: c.get("name")?,
        hash: c.get("hash")?,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        created_at: c.ms("created_at_ms")?,
        revoked_at: c.opt_ms("revoked_at_ms")?,
    })
}

fn audit_of(row: &SqliteRow) -> Result<AuditEntry, StoreError> {
    let c = Cells::new(AUDIT, row);
    Ok(AuditEntry {
        id: c.number("id")?,
        at: c.ms("time_ms")?,
        user: c.get::<Option<i64>>("user_id")?.map(i64::unsigned_abs),
        action: c.get("action")?,
        detail: c.get("detail")?,
    })
}

fn opt_ms(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

async fn insert_user(
    conn: &mut SqliteConnection,
    user: &NewUser,
    invite: Option<&str>,
) -> Result<Option<UserRecord>, StoreError> {
    if let Some(code) = invite {
        let query = sqlx::query(
            "UPDATE invite_codes SET uses_left = uses_left - 1 WHERE code = ? AND uses_left > 0
               AND (expires_at_ms IS NULL OR expires_at_ms > ?)",
        )
        .bind(code.to_owned())
        .bind(user.created_at.as_millis());
        if changed(conn, query).await? == 0 {
            return Ok(None);
        }
    }
    let row = sqlx::query(
        "INSERT INTO users (email, password_hash, role, created_at_ms) VALUES (?, ?, ?, ?)
         RETURNING *",
    )
    .bind(&user.email)
    .bind(&user.password_hash)
    .bind(name_of(&user.role)?)
    .bind(user.created_at.as_millis())
    .fetch_one(conn)
    .await
    .map_err(taken(USERS, &user.email))?;
    user_of(&row).map(Some)
}

/// Refuses to end the only admin who is not banned.
async fn keep_an_admin(conn: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    let last: Option<String> = sqlx::query_scalar(
        "SELECT email FROM users WHERE id = ?1 AND role = 'admin' AND banned_at_ms IS NULL
           AND NOT EXISTS (SELECT 1 FROM users
                           WHERE id <> ?1 AND role = 'admin' AND banned_at_ms IS NULL)",
    )
    .bind(id)
    .fetch_optional(conn)
    .await
    .map_err(failed)?;
    last.map_or(Ok(()), |key| {
        let what = "is the last admin".to_owned();
        Err(StoreError::Conflict { table: USERS, key, what })
    })
}

async fn change_user(
    conn: &mut SqliteConnection,
    id: i64,
    change: &UserChange,
) -> Result<Option<UserRecord>, StoreError> {
    if change.ends_an_admin() {
        keep_an_admin(&mut *conn, id).await?;
    }
    let query = match change {
        UserChange::Role(role) => {
            sqlx::query("UPDATE users SET role = ? WHERE id = ? RETURNING *").bind(name_of(role)?)
        }
        UserChange::Banned(at) => {
            sqlx::query("UPDATE users SET banned_at_ms = ? WHERE id = ? RETURNING *")
                .bind(opt_ms(*at))
        }
        UserChange::PasswordHash(hash) => {
            sqlx::query("UPDATE users SET password_hash = ? WHERE id = ? RETURNING *")
                .bind(hash.clone())
        }
    };
    one(conn, query.bind(id), user_of).await
}

async fn insert_invite(conn: &mut SqliteConnection, invite: &Invite) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO invite_codes (code, role, uses_left, expires_at_ms, created_by, created_at_ms)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&invite.code)
    .bind(name_of(&invite.role)?)
    .bind(invite.uses_left)
    .bind(opt_ms(invite.expires_at))
    .bind(invite.created_by.map(|id| int(USERS, id)).transpose()?)
    .bind(invite.created_at.as_millis())
    .execute(conn)
    .await
    .map(|_| ())
    .map_err(taken(INVITES, "the code"))
}

async fn insert_token(conn: &mut SqliteConnection, token: &RefreshToken) -> Result<(), StoreError> {
    let expired =
        sqlx::query("DELETE FROM refresh_tokens WHERE user_id = ? AND expires_at_ms <= ?")
            .bind(int(USERS, token.user)?)
            .bind(token.issued_at.as_millis());
    changed(conn, expired).await?;
    sqlx::query(
        "INSERT INTO refresh_tokens (hash, family, user_id, issued_at_ms, expires_at_ms,
             replaced_at_ms, revoked_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&token.hash)
    .bind(&token.family)
    .bind(int(USERS, token.user)?)
    .bind(token.issued_at.as_millis())
    .bind(token.expires_at.as_millis())
    .bind(opt_ms(token.replaced_at))
    .bind(opt_ms(token.revoked_at))
    .execute(conn)
    .await
    .map(|_| ())
    .map_err(taken(TOKENS, "the hash"))
}

async fn replace_token(
    conn: &mut SqliteConnection,
    old: &str,
    new: &RefreshToken,
) -> Result<bool, StoreError> {
    let query = sqlx::query(
        "UPDATE refresh_tokens SET replaced_at_ms = ?
         WHERE hash = ? AND replaced_at_ms IS NULL AND revoked_at_ms IS NULL",
    )
    .bind(new.issued_at.as_millis())
    .bind(old.to_owned());
    if changed(conn, query).await? == 0 {
        return Ok(false);
    }
    insert_token(conn, new).await.map(|()| true)
}

async fn insert_key(conn: &mut SqliteConnection, key: &ApiKey) -> Result<u64, StoreError> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO api_keys (user_id, name, hash, scopes, created_at_ms, revoked_at_ms)
         VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(int(USERS, key.user)?)
    .bind(&key.name)
    .bind(&key.hash)
    .bind(key.scopes.join(" "))
    .bind(key.created_at.as_millis())
    .bind(opt_ms(key.revoked_at))
    .fetch_one(conn)
    .await
    .map_err(taken(KEYS, "the hash"))?;
    Ok(id.unsigned_abs())
}

fn insert_audit(entry: &AuditEntry) -> Result<Query, StoreError> {
    Ok(sqlx::query("INSERT INTO audit_log (time_ms, user_id, action, detail) VALUES (?, ?, ?, ?)")
        .bind(entry.at.as_millis())
        .bind(entry.user.map(|id| int(USERS, id)).transpose()?)
        .bind(entry.action.clone())
        .bind(entry.detail.clone()))
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn insert_user(
        &self,
        user: &NewUser,
        invite: Option<&str>,
    ) -> Result<Option<UserRecord>, StoreError> {
        let input = (user.clone(), invite.map(str::to_owned));
        self.write(input, |conn, (user, invite)| {
            Box::pin(insert_user(conn, user, invite.as_deref()))
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError> {
        let query = sqlx::query("SELECT * FROM users WHERE email = ?").bind(email.to_owned());
        one(&mut *self.read().await?, query, user_of).await
    }

    async fn user(&self, id: u64) -> Result<Option<UserRecord>, StoreError> {
        let query = sqlx::query("SELECT * FROM users WHERE id = ?").bind(int(USERS, id)?);
        one(&mut *self.read().await?, query, user_of).await
    }

    async fn users(&self, after: u64, limit: usize) -> Result<Vec<UserRecord>, StoreError> {
        let query = sqlx::query("SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ?")
            .bind(int(USERS, after)?)
            .bind(int(USERS, limit as u64)?);
        all(&mut *self.read().await?, query, user_of).await
    }

    async fn change_user(
        &self,
        id: u64,
        change: &UserChange,
    ) -> Result<Option<UserRecord>, StoreError> {
        let input = (int(USERS, id)?, change.clone());
        self.write(input, |conn, (id, change)| Box::pin(change_user(conn, *id, change))).await
    }

    async fn insert_invite(&self, invite: &Invite) -> Result<(), StoreError> {
        self.write(invite.clone(), |conn, invite| Box::pin(insert_invite(conn, invite))).await
    }

    async fn invite(&self, code: &str) -> Result<Option<Invite>, StoreError> {
        let query = sqlx::query("SELECT * FROM invite_codes WHERE code = ?").bind(code.to_owned());
        one(&mut *self.read().await?, query, invite_of).await
    }

    async fn revoke_invite(&self, code: &str) -> Result<bool, StoreError> {
        self.write(code.to_owned(), |conn, code| {
            let query = sqlx::query(
                "UPDATE invite_codes SET uses_left = 0 WHERE code = ? AND uses_left > 0",
            );
            let query = query.bind(code.clone());
            Box::pin(async move { Ok(changed(conn, query).await? == 1) })
        })
        .await
    }

    async fn invites(&self) -> Result<Vec<Invite>, StoreError> {
        let query = sqlx::query("SELECT * FROM invite_codes ORDER BY created_at_ms DESC, code");
        all(&mut *self.read().await?, query, invite_of).await
    }

    async fn insert_refresh_token(&self, token: &RefreshToken) -> Result<(), StoreError> {
        self.write(token.clone(), |conn, token| Box::pin(insert_token(conn, token))).await
    }

    async fn refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>, StoreError> {
        let query =
            sqlx::query("SELECT * FROM refresh_tokens WHERE hash = ?").bind(hash.to_owned());
        one(&mut *self.read().await?, query, token_of).await
    }

    async fn replace_refresh_token(
        &self,
        old: &str,
        new: &RefreshToken,
    ) -> Result<bool, StoreError> {
        let input = (old.to_owned(), new.clone());
        self.write(input, |conn, (old, new)| Box::pin(replace_token(conn, old, new))).await
    }

    async fn revoke_family(&self, family: &str, at: Timestamp) -> Result<u64, StoreError> {
        self.write((family.to_owned(), at), |conn, (family, at)| {
            let query = sqlx::query(
                "UPDATE refresh_tokens SET revoked_at_ms = ?
                 WHERE family = ? AND revoked_at_ms IS NULL",
            );
            Box::pin(changed(conn, query.bind(at.as_millis()).bind(family.clone())))
        })
        .await
    }

    async fn revoke_user_tokens(&self, user: u64, at: Timestamp) -> Result<u64, StoreError> {
        self.write((int(USERS, user)?, at), |conn, (user, at)| {
            let query = sqlx::query(
                "UPDATE refresh_tokens SET revoked_at_ms = ?
                 WHERE user_id = ? AND revoked_at_ms IS NULL",
            );
            Box::pin(changed(conn, query.bind(at.as_millis()).bind(*user)))
        })
        .await
    }

    async fn insert_api_key(&self, key: &ApiKey) -> Result<u64, StoreError> {
        self.write(key.clone(), |conn, key| Box::pin(insert_key(conn, key))).await
    }

    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        let query = sqlx::query("SELECT * FROM api_keys WHERE hash = ?").bind(hash.to_owned());
        one(&mut *self.read().await?, query, key_of).await
    }

    async fn api_keys(&self, user: u64) -> Result<Vec<ApiKey>, StoreError> {
        let query = sqlx::query("SELECT * FROM api_keys WHERE user_id = ? ORDER BY id");
        all(&mut *self.read().await?, query.bind(int(USERS, user)?), key_of).await
    }

    async fn revoke_api_key(&self, user: u64, id: u64, at: Timestamp) -> Result<bool, StoreError> {
        self.write((int(USERS, user)?, int(KEYS, id)?, at), |conn, (user, id, at)| {
            let query = sqlx::query(
                "UPDATE api_keys SET revoked_at_ms = ?
                 WHERE id = ? AND user_id = ? AND revoked_at_ms IS NULL",
            );
            let query = query.bind(at.as_millis()).bind(*id).bind(*user);
            Box::pin(async move { Ok(changed(conn, query).await? == 1) })
        })
        .await
    }

    async fn append_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write(entry.clone(), |conn, entry| {
            Box::pin(async move { changed(conn, insert_audit(entry)?).await.map(|_| ()) })
        })
        .await
    }

    async fn audit(&self, page: Page) -> Result<Vec<AuditEntry>, StoreError> {
        let (time, id) = match page.before {
            Some((time, id)) => (time.as_millis(), int(AUDIT, id)?),
            None => (i64::MAX, i64::MAX),
        };
        let query = sqlx::query(
            "SELECT * FROM audit_log WHERE (time_ms, id) < (?, ?)
             ORDER BY time_ms DESC, id DESC LIMIT ?",
        )
        .bind(time)
        .bind(id)
        .bind(int(AUDIT, page.limit as u64)?);
        all(&mut *self.read().await?, query, audit_of).await
    }
}
