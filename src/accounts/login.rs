//! Getting in, staying in, and getting out.
//!
//! Invariant: no session outlives a ban, another password or the end of its login, whatever
//! happens at the same time. Each of these first changes the user and then revokes its tokens; a
//! session is stored first and then looks at the user again. So one of the two sees the other.

use arb_core::port::{Invite, NewUser, Origin, RefreshToken, Session, UserRecord};
use arb_core::time::{DAY, SECOND};
use arb_core::{AuthError, Timestamp};
use serde_json::{Value, json};

use super::email::normalise;
use super::limits::TooMany;
use super::operator::{hint, info};
use super::secret::{fingerprint, hex, random, token};
use super::signing::Access;
use super::{AccountService, password};

/// How long a refresh token is valid, nanoseconds.
const REFRESH_LIFE: i64 = 7 * DAY;
/// How long a used refresh token serves on, nanoseconds: a client that lost the answer, or whose
/// other window was faster, asks again.
const GRACE: i64 = 60 * SECOND;
/// By which people and scanners know a refresh token.
const REFRESH_PREFIX: &str = "arbr_";
/// The most bytes of an invite that are looked up.
const LONGEST_CODE: usize = 128;

impl AccountService {
    pub(super) async fn register_user(
        &self,
        from: Origin,
        (email, password): (&str, &str),
        code: &str,
    ) -> Result<Session, AuthError> {
        self.allow(self.limits.address(from), from, "register").await?;
        let email = normalise(email)?;
        password::check(password, &email)?;
        let code = code.trim();
        let refused = match self.usable(code).await? {
            None => AuthError::Invite,
            Some(_) if self.operator.store().user_by_email(&email).await?.is_some() => {
                AuthError::EmailTaken
            }
            Some(invite) => {
                let password_hash = self.operator.hasher().hash(password).await?;
                let created_at = self.operator.now();
                let user = NewUser { email, password_hash, role: invite.role, created_at };
                match self.operator.insert(&user, Some(code)).await {
                    Ok(Some(user)) => return self.welcome(from, &user, code).await,
                    // Somebody else was faster by the same invite.
                    Ok(None) => AuthError::Invite,
                    // Or by the same e-mail.
                    Err(error @ AuthError::EmailTaken) => error,
                    Err(error) => return Err(error),
                }
            }
        };
        let detail = json!({ "from": address(from), "why": refused.to_string() });
        self.operator.record("register_refused", detail).await?;
        Err(refused)
    }

    async fn welcome(
        &self,
        from: Origin,
        user: &UserRecord,
        code: &str,
    ) -> Result<Session, AuthError> {
        let detail = json!({ "from": address(from), "role": user.role, "invite": hint(code) });
        self.operator.acting(user.id, None).record("registered", detail).await?;
        self.open_login(user).await
    }

    /// An invite that lets somebody in now.
    async fn usable(&self, code: &str) -> Result<Option<Invite>, AuthError> {
        if code.len() > LONGEST_CODE {
            return Ok(None);
        }
        let now = self.operator.now();
        let invite = self.operator.store().invite(code).await?;
        Ok(invite.filter(|i| i.uses_left > 0 && i.expires_at.is_none_or(|end| now < end)))
    }

    pub(super) async fn log_in(
        &self,
        from: Origin,
        email: &str,
        password: &str,
    ) -> Result<Session, AuthError> {
        self.allow(self.limits.address(from), from, "login").await?;
        // What is no address has no user, and is otherwise treated as one that might.
        let email = normalise(email).unwrap_or_else(|_| email.trim().to_lowercase());
        self.allow(self.limits.account(&email), from, "login").await?;
        let user = self.operator.store().user_by_email(&email).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let right = password.len() <= password::LONGEST
            && self.operator.hasher().verify(password, hash).await?;
        let why = match &user {
            Some(user) if !right => ("wrong password", Some(user.id)),
            Some(user) if user.banned_at.is_some() => ("banned", Some(user.id)),
            Some(user) => return self.enter(from, user).await,
            // Not the text: people type their password into the wrong field.
            None => ("unknown e-mail", None),
        };
        let detail = json!({ "from": address(from), "why": why.0, "user": why.1 });
        self.operator.record("login_failed", detail).await?;
        Err(if right { AuthError::Banned } else { AuthError::Credentials })
    }

    async fn enter(&self, from: Origin, user: &UserRecord) -> Result<Session, AuthError> {
        let session = self.open_login(user).await?;
        let by = self.operator.acting(user.id, None);
        by.record("login", json!({ "from": address(from) })).await?;
        Ok(session)
    }

    pub(super) async fn refresh_session(
        &self,
        from: Origin,
        refresh: &str,
    ) -> Result<Session, AuthError> {
        let hash = fingerprint(refresh);
        // Of two that present a token at once, one finds it used when it comes to exchanging it;
        // looked at again, it is a token that was used a moment ago.
        for _ in 0..2 {
            let token = self.presented(from, &hash).await?;
            if let Some(session) = self.exchange(&token).await? {
                let by = self.operator.acting(token.user, None);
                by.record("refreshed", json!({ "from": address(from) })).await?;
                return Ok(session);
            }
        }
        Err(AuthError::Token)
    }

    /// The token of this hash, if it may be exchanged.
    async fn presented(&self, from: Origin, hash: &str) -> Result<RefreshToken, AuthError> {
        let now = self.operator.now();
        let token = self.operator.store().refresh_token(hash).await?;
        let token = token.filter(|token| token.revoked_at.is_none()).ok_or(AuthError::Token)?;
        if token.replaced_at.is_some_and(|at| now.since(at) > GRACE) {
            // Two hold it, and one of them is not its owner.
            self.operator.store().revoke_family(&token.family, now).await?;
            let detail = json!({ "from": address(from), "user": token.user });
            self.operator.record("refresh_replayed", detail).await?;
            return Err(AuthError::Token);
        }
        if token.expires_at <= now { Err(AuthError::Token) } else { Ok(token) }
    }

    /// A session for a token; none when somebody exchanged it in this moment.
    async fn exchange(&self, token: &RefreshToken) -> Result<Option<Session>, AuthError> {
        self.limits
            .refresh(token.user)
            .map_err(|TooMany { retry_after, .. }| AuthError::Limited { retry_after })?;
        let user = self.operator.store().user(token.user).await?;
        let Some(user) = user.filter(|user| user.banned_at.is_none()) else {
            return Err(AuthError::Token);
        };
        let (text, next) = successor(token.user, token.family.clone(), self.operator.now())?;
        let store = self.operator.store();
        if token.replaced_at.is_some() {
            store.insert_refresh_token(&next).await?;
            // The login may have ended between the look and this; then the new token ends too.
            let ended = store.refresh_token(&token.hash).await?;
            if ended.is_none_or(|token| token.revoked_at.is_some()) {
                store.revoke_family(&token.family, self.operator.now()).await?;
                return Err(AuthError::Token);
            }
        } else if !store.replace_refresh_token(&token.hash, &next).await? {
            return Ok(None);
        }
        self.session(&user, text, next).await.map(Some)
    }

    async fn open_login(&self, user: &UserRecord) -> Result<Session, AuthError> {
        let family = hex(&random::<16>()?);
        let (text, first) = successor(user.id, family, self.operator.now())?;
        self.operator.store().insert_refresh_token(&first).await?;
        self.session(user, text, first).await.map_err(|error| match error {
            AuthError::Token => AuthError::Credentials,
            error => error,
        })
    }

    /// Hands out tokens of which the refresh token is stored, unless the user may no longer log in
    /// as it was `seen` to.
    async fn session(
        &self,
        seen: &UserRecord,
        refresh: String,
        stored: RefreshToken,
    ) -> Result<Session, AuthError> {
        let user = self.operator.store().user(seen.id).await?;
        let same = |user: &UserRecord| {
            user.banned_at.is_none() && user.password_hash == seen.password_hash
        };
        let now = self.operator.now();
        let Some(user) = user.filter(same) else {
            self.operator.store().revoke_family(&stored.family, now).await?;
            return Err(AuthError::Token);
        };
        let access = self.signing.sign(&Access { user: user.id, login: stored.hash }, now)?;
        Ok(Session { access, refresh, user: info(&user) })
    }

    /// Turns a refusal of the limits into an error, and tells the audit log of it now and then.
    async fn allow(
        &self,
        allowed: Result<(), TooMany>,
        from: Origin,
        what: &str,
    ) -> Result<(), AuthError> {
        let Err(TooMany { of, retry_after, tell }) = allowed else { return Ok(()) };
        if tell {
            let detail = json!({ "from": address(from), "what": what, "tries_of_one": of });
            self.operator.record("limited", detail).await?;
        }
        Err(AuthError::Limited { retry_after })
    }
}

/// A new refresh token of a login, and what is stored of it.
fn successor(
    user: u64,
    family: String,
    now: Timestamp,
) -> Result<(String, RefreshToken), AuthError> {
    let text = token(REFRESH_PREFIX)?;
    let stored = RefreshToken {
        hash: fingerprint(&text),
        family,
        user,
        issued_at: now,
        expires_at: now.plus(REFRESH_LIFE),
        replaced_at: None,
        revoked_at: None,
    };
    Ok((text, stored))
}

fn address(from: Origin) -> Value {
    from.address.map_or(Value::Null, |address| json!(address.to_string()))
}
