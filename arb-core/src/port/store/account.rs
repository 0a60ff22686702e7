//! Users and their secrets, all stored hashed by the caller.
//!
//! Invariant: what must not happen halfway is one method: an invite is used exactly when a user is
//! created, a refresh token is replaced exactly when its successor exists, and no two changes at
//! once leave the accounts without an admin.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::book::Page;
use crate::error::StoreError;
use crate::time::Timestamp;

/// What a user may do, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Reads.
    Viewer,
    /// Reads everything but other people's accounts.
    User,
    /// Pauses, flattens, switches strategies.
    Trader,
    /// Manages users and limits, resets halts.
    Admin,
}

impl UserRole {
    /// All roles, lowest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::User, Self::Trader, Self::Admin];

    /// The name in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::User => "user",
            Self::Trader => "trader",
            Self::Admin => "admin",
        }
    }
}

/// A user to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// E-mail, lower case.
    pub email: String,
    /// Password hash with its parameters.
    pub password_hash: String,
    /// Rights.
    pub role: UserRole,
    /// When.
    pub created_at: Timestamp,
}

/// A stored user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Stable id.
    pub id: u64,
    /// E-mail, lower case.
    pub email: String,
    /// Password hash with its parameters.
    pub password_hash: String,
    /// Rights.
    pub role: UserRole,
    /// When it was created.
    pub created_at: Timestamp,
    /// May not log in since then.
    pub banned_at: Option<Timestamp>,
}

/// One change of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// Other rights.
    Role(UserRole),
    /// Banned since, or no more.
    Banned(Option<Timestamp>),
    /// Another password.
    PasswordHash(String),
}

impl UserChange {
    /// Whether an admin who could log in and manage the accounts cannot any more.
    #[must_use]
    pub const fn ends_an_admin(&self) -> bool {
        match self {
            Self::Role(role) => !matches!(role, UserRole::Admin),
            Self::Banned(since) => since.is_some(),
            Self::PasswordHash(_) => false,
        }
    }
}

/// Permission to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// What the new user types in.
    pub code: String,
    /// Rights of who registers by it.
    pub role: UserRole,
    /// How often it can still be used.
    pub uses_left: u32,
    /// Not valid from then on.
    pub expires_at: Option<Timestamp>,
    /// Who made it; none for the command line.
    pub created_by: Option<u64>,
    /// When.
    pub created_at: Timestamp,
}

/// A refresh token; `family` is what all tokens of one login share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Hash of the token.
    pub hash: String,
    /// The login it descends from.
    pub family: String,
    /// Whose.
    pub user: u64,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Not valid from then on.
    pub expires_at: Timestamp,
    /// When it was exchanged for its successor.
    pub replaced_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A key for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Stable id; given by the store.
    pub id: u64,
    /// Whose.
    pub user: u64,
    /// What its owner calls it.
    pub name: String,
    /// Hash of the key.
    pub hash: String,
    /// What it may do; no scope contains a space.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Something somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Row; given by the store.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who; none for the system.
    pub user: Option<u64>,
    /// What, such as `login_failed`.
    pub action: String,
    /// In words or JSON; never a secret.
    pub detail: String,
}

/// Users and their secrets.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Creates a user, using up one use of the invite where one is named; none when the invite is
    /// unknown, used up or expired at `created_at`, and then nothing happens.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the e-mail is taken; the invite keeps its uses.
    async fn insert_user(
        &self,
        user: &NewUser,
        invite: Option<&str>,
    ) -> Result<Option<UserRecord>, StoreError>;

    /// The user with this e-mail.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError>;

    /// The user with this id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn user(&self, id: u64) -> Result<Option<UserRecord>, StoreError>;

    /// Users with an id above `after`, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn users(&self, after: u64, limit: usize) -> Result<Vec<UserRecord>, StoreError>;

    /// Changes a user; none when there is no such user.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it would end the only admin who is not banned; then nothing
    /// changes.
    async fn change_user(
        &self,
        id: u64,
        change: &UserChange,
    ) -> Result<Option<UserRecord>, StoreError>;

    /// Stores an invite.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the code exists.
    async fn insert_invite(&self, invite: &Invite) -> Result<(), StoreError>;

    /// The invite with this code, usable or not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn invite(&self, code: &str) -> Result<Option<Invite>, StoreError>;

    /// Takes all uses from an invite; false when it is unknown or has none left.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_invite(&self, code: &str) -> Result<bool, StoreError>;

    /// All invites, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn invites(&self) -> Result<Vec<Invite>, StoreError>;

    /// Stores a refresh token, and forgets those of the same user that had expired when it was
    /// issued.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the hash exists.
    async fn insert_refresh_token(&self, token: &RefreshToken) -> Result<(), StoreError>;

    /// The token with this hash, valid or not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>, StoreError>;

    /// Marks `old` as replaced at `new.issued_at` and stores `new` as
    /// [`insert_refresh_token`](Self::insert_refresh_token) does; false when `old` is unknown,
    /// revoked or already replaced, and then nothing happens.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn replace_refresh_token(
        &self,
        old: &str,
        new: &RefreshToken,
    ) -> Result<bool, StoreError>;

    /// Revokes all tokens of a family that are not yet; tells how many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_family(&self, family: &str, at: Timestamp) -> Result<u64, StoreError>;

    /// Revokes all refresh tokens of a user that are not yet; tells how many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_user_tokens(&self, user: u64, at: Timestamp) -> Result<u64, StoreError>;

    /// Stores an API key, whatever its `id`, and tells the id it got.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the hash exists.
    async fn insert_api_key(&self, key: &ApiKey) -> Result<u64, StoreError>;

    /// The key with this hash, revoked or not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError>;

    /// The keys of a user, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn api_keys(&self, user: u64) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a user's key; false when it is not theirs or revoked already.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_api_key(&self, user: u64, id: u64, at: Timestamp) -> Result<bool, StoreError>;

    /// Adds to the audit log, whatever the entry's `id`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn append_audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// The audit log, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn audit(&self, page: Page) -> Result<Vec<AuditEntry>, StoreError>;
}
