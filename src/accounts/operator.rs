//! What is done to accounts by whoever holds the store: the command line, and the service for a
//! caller whose rights it has checked.
//!
//! Invariant: every change is in the audit log, under the user who made it.

use std::fmt;
use std::sync::Arc;

use arb_core::port::{
    AuditEntry, Clock, Invite, InviteWish, NewUser, Page, Principal, Store, UserChange, UserInfo,
    UserPatch, UserRecord, UserRole,
};
use arb_core::{AuthError, ConfigError, StoreError, Timestamp};
use serde_json::{Value, json};

use super::email::normalise;
use super::hashing::{HashCost, Hasher};
use super::password;
use super::secret::{Secret, code};

/// The user that the first start makes.
const FIRST_ADMIN: &str = "admin@localhost";
/// The most registrations by one invite.
const MOST_USES: u32 = 1_000;
/// The most rows of one answer.
pub(super) const MOST_ROWS: usize = 1_000;

/// A login that was made for somebody; the password is told this once and stored nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeLogin {
    /// E-mail.
    pub email: String,
    /// Password.
    pub password: Secret,
}

/// Who a change is booked under.
#[derive(Clone, Copy, Debug)]
struct Actor {
    user: u64,
    key: Option<u64>,
}

/// Manages the accounts in a store with the rights of whoever holds the store: it asks nobody, so
/// it is never given to a host.
#[derive(Clone)]
pub struct Operator {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    hasher: Arc<Hasher>,
    actor: Option<Actor>,
}

impl Operator {
    /// Over a store, by real time. Calls need a tokio runtime.
    ///
    /// # Errors
    /// [`ConfigError`] for a hashing cost that argon2 does not know.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        cost: HashCost,
    ) -> Result<Self, ConfigError> {
        Ok(Self::with_hasher(store, clock, Hasher::new(cost)?))
    }

    /// Makes an invite; its code is what the new user types in.
    ///
    /// # Errors
    /// [`AuthError::Weak`] when nobody could use it.
    pub async fn create_invite(&self, wish: InviteWish) -> Result<Invite, AuthError> {
        let now = self.now();
        check(wish, now)?;
        let invite = Invite {
            code: code()?,
            role: wish.role,
            uses_left: wish.uses,
            expires_at: wish.expires_at,
            created_by: self.actor.map(|actor| actor.user),
            created_at: now,
        };
        self.store.insert_invite(&invite).await?;
        let detail = json!({
            "invite": hint(&invite.code),
            "role": invite.role,
            "uses": invite.uses_left,
            "expires_at": invite.expires_at.map(|at| at.to_string()),
        });
        self.record("invite_created", detail).await?;
        Ok(invite)
    }

    /// All invites, newest first.
    ///
    /// # Errors
    /// [`AuthError::Store`].
    pub async fn invites(&self) -> Result<Vec<Invite>, AuthError> {
        Ok(self.store.invites().await?)
    }

    /// Takes all uses from an invite.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when it is unknown or has none left.
    pub async fn revoke_invite(&self, code: &str) -> Result<(), AuthError> {
        let code = code.trim();
        if !self.store.revoke_invite(code).await? {
            return Err(AuthError::NotFound);
        }
        self.record("invite_revoked", json!({ "invite": hint(code) })).await
    }

    /// Makes a user with a random password.
    ///
    /// # Errors
    /// [`AuthError::Weak`] for an e-mail that is none, [`AuthError::EmailTaken`].
    pub async fn add_user(&self, email: &str, role: UserRole) -> Result<OneTimeLogin, AuthError> {
        let (email, password) = (normalise(email)?, code()?);
        let password_hash = self.hasher.hash(&password).await?;
        let created_at = self.now();
        let user = NewUser { email: email.clone(), password_hash, role, created_at };
        let user = self.insert(&user, None).await?.ok_or(AuthError::EmailTaken)?;
        self.record("user_added", json!({ "user": user.id, "role": role })).await?;
        Ok(OneTimeLogin { email, password: password.into() })
    }

    /// Makes an admin with a random password where there is no user at all.
    ///
    /// # Errors
    /// [`AuthError::Store`], [`AuthError::System`].
    pub async fn bootstrap_admin(&self) -> Result<Option<OneTimeLogin>, AuthError> {
        if !self.store.users(0, 1).await?.is_empty() {
            return Ok(None);
        }
        match self.add_user(FIRST_ADMIN, UserRole::Admin).await {
            // Another process was faster.
            Err(AuthError::EmailTaken) => Ok(None),
            added => added.map(Some),
        }
    }

    /// A user.
    ///
    /// # Errors
    /// [`AuthError::NotFound`].
    pub async fn user(&self, id: u64) -> Result<UserInfo, AuthError> {
        self.store.user(id).await?.as_ref().map(info).ok_or(AuthError::NotFound)
    }

    /// The user with this e-mail, however it is spelt.
    ///
    /// # Errors
    /// [`AuthError::NotFound`], [`AuthError::Weak`] for an e-mail that is none.
    pub async fn user_by_email(&self, email: &str) -> Result<UserInfo, AuthError> {
        let user = self.store.user_by_email(&normalise(email)?).await?;
        user.as_ref().map(info).ok_or(AuthError::NotFound)
    }

    /// Users with an id above `after`, ascending, at most a thousand.
    ///
    /// # Errors
    /// [`AuthError::Store`].
    pub async fn users(&self, after: u64, limit: usize) -> Result<Vec<UserInfo>, AuthError> {
        let users = self.store.users(after, limit.min(MOST_ROWS)).await?;
        Ok(users.iter().map(info).collect())
    }

    /// Changes a user's rights; a ban ends all its logins, at once.
    ///
    /// # Errors
    /// [`AuthError::NotFound`], [`AuthError::LastAdmin`]; then nothing changes.
    pub async fn change_user(&self, id: u64, patch: UserPatch) -> Result<UserInfo, AuthError> {
        // A ban goes first and its end last: so the one step that may be refused, which is to end
        // an admin, is refused before anything has changed.
        if patch.banned == Some(true) {
            self.ban(id).await?;
        }
        if let Some(role) = patch.role {
            self.change(id, UserChange::Role(role)).await?;
            self.record("user_role", json!({ "user": id, "role": role })).await?;
        }
        if patch.banned == Some(false) {
            self.change(id, UserChange::Banned(None)).await?;
            self.record("user_unbanned", json!({ "user": id })).await?;
        }
        self.user(id).await
    }

    /// Gives a user another password and ends all its logins.
    ///
    /// # Errors
    /// [`AuthError::NotFound`], [`AuthError::Weak`].
    pub async fn set_password(&self, id: u64, password: &str) -> Result<(), AuthError> {
        let user = self.user(id).await?;
        password::check(password, &user.email)?;
        let hash = self.hasher.hash(password).await?;
        self.change(id, UserChange::PasswordHash(hash)).await?;
        // After the change: whoever logs in by the old password meanwhile is found out by it.
        let logins = self.store.revoke_user_tokens(id, self.now()).await?;
        self.record("password_changed", json!({ "user": id, "tokens_revoked": logins })).await
    }

    /// The audit log, newest first, at most a thousand rows.
    ///
    /// # Errors
    /// [`AuthError::Store`].
    pub async fn audit(&self, page: Page) -> Result<Vec<AuditEntry>, AuthError> {
        let page = Page { limit: page.limit.min(MOST_ROWS), ..page };
        Ok(self.store.audit(page).await?)
    }
}

impl Operator {
    pub(super) fn with_hasher(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        hasher: Hasher,
    ) -> Self {
        Self { store, clock, hasher: Arc::new(hasher), actor: None }
    }

    /// The same in a caller's name; its rights are checked before.
    pub(super) fn named(&self, who: &Principal) -> Self {
        self.acting(who.user, who.key)
    }

    /// The same in the name of a user who has just logged in.
    pub(super) fn acting(&self, user: u64, key: Option<u64>) -> Self {
        Self { actor: Some(Actor { user, key }), ..self.clone() }
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(super) fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes into the audit log.
    pub(super) async fn record(&self, action: &str, mut detail: Value) -> Result<(), AuthError> {
        let key = self.actor.and_then(|actor| actor.key);
        if let (Some(key), Some(detail)) = (key, detail.as_object_mut()) {
            detail.insert("by_key".to_owned(), json!(key));
        }
        self.append(action, detail.to_string()).await
    }

    /// Writes a text of somebody else into the audit log.
    pub(super) async fn append(&self, action: &str, detail: String) -> Result<(), AuthError> {
        let user = self.actor.map(|actor| actor.user);
        let action = action.to_owned();
        let entry = AuditEntry { id: 0, at: self.now(), user, action, detail };
        Ok(self.store.append_audit(&entry).await?)
    }

    /// Stores a user; none when the invite is no longer good.
    pub(super) async fn insert(
        &self,
        user: &NewUser,
        invite: Option<&str>,
    ) -> Result<Option<UserRecord>, AuthError> {
        self.store.insert_user(user, invite).await.map_err(|error| match error {
            StoreError::Conflict { table: "users", .. } => AuthError::EmailTaken,
            error => error.into(),
        })
    }

    async fn ban(&self, id: u64) -> Result<(), AuthError> {
        let user = self.store.user(id).await?.ok_or(AuthError::NotFound)?;
        let since = user.banned_at.unwrap_or(self.now());
        self.change(id, UserChange::Banned(Some(since))).await?;
        // After the ban: a login that is under way sees the ban, or is revoked here.
        let logins = self.store.revoke_user_tokens(id, self.now()).await?;
        self.record("user_banned", json!({ "user": id, "tokens_revoked": logins })).await
    }

    async fn change(&self, id: u64, change: UserChange) -> Result<(), AuthError> {
        match self.store.change_user(id, &change).await {
            Ok(changed) => changed.map(drop).ok_or(AuthError::NotFound),
            Err(StoreError::Conflict { table: "users", .. }) => {
                let detail = json!({ "what": "change_user", "user": id, "why": "the last admin" });
                self.record("refused", detail).await?;
                Err(AuthError::LastAdmin)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("actor", &self.actor).finish_non_exhaustive()
    }
}

/// A user without secrets.
pub(super) fn info(user: &UserRecord) -> UserInfo {
    UserInfo {
        id: user.id,
        email: user.email.clone(),
        role: user.role,
        created_at: user.created_at,
        banned_at: user.banned_at,
    }
}

/// An invite, recognisable to who has its code and useless to who has not.
pub(super) fn hint(code: &str) -> String {
    let start = code.get(..4).filter(|_| code.len() >= 16);
    format!("{}…", start.unwrap_or_default())
}

fn check(wish: InviteWish, now: Timestamp) -> Result<(), AuthError> {
    let weak = |field, message: String| Err(AuthError::Weak { field, message });
    if !(1..=MOST_USES).contains(&wish.uses) {
        return weak("uses", format!("{} is not within 1 to {MOST_USES}", wish.uses));
    }
    match wish.expires_at {
        Some(at) if at <= now => weak("expires_at", format!("{at} has passed")),
        _ => Ok(()),
    }
}
