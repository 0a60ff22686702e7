//! Users, tokens and keys, as hosts see them.
//!
//! Invariant: every call that changes something or tells about somebody else takes the
//! [`Principal`] who asks and checks its rights itself, so no host can forget to.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::store::{AuditEntry, Invite, Page, UserRole};
use crate::error::AuthError;
use crate::time::Timestamp;

/// Where a call comes from, for limits and the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address; none inside the process.
    pub address: Option<IpAddr>,
}

/// What an API key may do; never more than its owner's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reads.
    Read,
    /// Pauses, flattens, switches strategies.
    Trade,
    /// Manages users and limits, resets halts.
    Admin,
}

impl Scope {
    /// All scopes, least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Trade, Self::Admin];

    /// The name in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
            Self::Admin => "admin",
        }
    }

    /// The highest role a key of this scope acts with.
    #[must_use]
    pub const fn role(self) -> UserRole {
        match self {
            Self::Read => UserRole::User,
            Self::Trade => UserRole::Trader,
            Self::Admin => UserRole::Admin,
        }
    }

    /// The lowest role that may make a key of this scope.
    #[must_use]
    pub const fn needs(self) -> UserRole {
        match self {
            Self::Read => UserRole::Viewer,
            Self::Trade => UserRole::Trader,
            Self::Admin => UserRole::Admin,
        }
    }
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: u64,
    /// E-mail, lower case.
    pub email: String,
    /// Rights, already narrowed by the scopes of an API key.
    pub role: UserRole,
    /// The API key it came by; none for an access token.
    pub key: Option<u64>,
}

impl Principal {
    /// Whether the rights suffice.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] naming the role that is needed.
    pub fn require(&self, role: UserRole) -> Result<(), AuthError> {
        if self.role >= role { Ok(()) } else { Err(AuthError::Forbidden { needed: role.as_str() }) }
    }
}

/// A user without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// Stable id.
    pub id: u64,
    /// E-mail, lower case.
    pub email: String,
    /// Rights.
    pub role: UserRole,
    /// When it was created.
    pub created_at: Timestamp,
    /// May not log in since then.
    pub banned_at: Option<Timestamp>,
}

/// A logged-in user with its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Short-lived.
    pub access: String,
    /// Long-lived, rotated at each use.
    pub refresh: String,
    /// Whose.
    pub user: UserInfo,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user", &self.user).finish_non_exhaustive()
    }
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Stable id.
    pub id: u64,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// An API key that was just made; the secret is told this once.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What the program presents.
    pub secret: String,
    /// The key.
    pub info: KeyInfo,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("info", &self.info).finish_non_exhaustive()
    }
}

/// An invite that somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteWish {
    /// Rights of who registers by it.
    pub role: UserRole,
    /// How often it can be used.
    pub uses: u32,
    /// Not valid from then on.
    pub expires_at: Option<Timestamp>,
}

/// A change of a user; none of a field leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// Other rights.
    pub role: Option<UserRole>,
    /// Banned, or no more.
    pub banned: Option<bool>,
}

/// Users, tokens and keys.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Registers a user by invite.
    ///
    /// # Errors
    /// [`AuthError::Invite`], [`AuthError::EmailTaken`], [`AuthError::Weak`] or
    /// [`AuthError::Limited`].
    async fn register(
        &self,
        from: Origin,
        email: &str,
        password: &str,
        invite: &str,
    ) -> Result<Session, AuthError>;

    /// Logs a user in.
    ///
    /// # Errors
    /// [`AuthError::Credentials`] whether the user exists or not, after the same work;
    /// [`AuthError::Banned`] only with the right password; [`AuthError::Limited`] after too many
    /// tries from one address or for one e-mail, right or wrong.
    async fn login(&self, from: Origin, email: &str, password: &str) -> Result<Session, AuthError>;

    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// [`AuthError::Token`]; a token presented again revokes its family, but for 60 s after its
    /// first use, in which it still serves. [`AuthError::Limited`] after too many in a row.
    async fn refresh(&self, from: Origin, refresh: &str) -> Result<Session, AuthError>;

    /// Revokes the login a refresh token belongs to, with all its access tokens; once more does
    /// nothing.
    ///
    /// # Errors
    /// [`AuthError::Token`] when it is not the caller's.
    async fn logout(&self, who: &Principal, refresh: &str) -> Result<(), AuthError>;

    /// Who presents this access token or API key, with the rights of this moment.
    ///
    /// # Errors
    /// [`AuthError::Token`], also for a user who was banned meanwhile, and for an access token
    /// whose login was revoked.
    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError>;

    /// Makes an API key.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] for a scope beyond the caller's role, or by an API key;
    /// [`AuthError::Weak`] for a name or scopes that cannot be used.
    async fn create_key(
        &self,
        who: &Principal,
        name: &str,
        scopes: &[Scope],
    ) -> Result<NewKey, AuthError>;

    /// The caller's API keys, by id.
    ///
    /// # Errors
    /// [`AuthError`].
    async fn keys(&self, who: &Principal) -> Result<Vec<KeyInfo>, AuthError>;

    /// Revokes one of the caller's keys.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none of this id; [`AuthError::Forbidden`] by an API
    /// key, but for itself.
    async fn revoke_key(&self, who: &Principal, id: u64) -> Result<(), AuthError>;

    /// Makes an invite.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] unless an admin asks; [`AuthError::Weak`] for a wish that nobody
    /// could use.
    async fn create_invite(&self, who: &Principal, wish: InviteWish) -> Result<Invite, AuthError>;

    /// All invites, newest first.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] unless an admin asks.
    async fn invites(&self, who: &Principal) -> Result<Vec<Invite>, AuthError>;

    /// A user: oneself, or anybody for an admin.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`], [`AuthError::NotFound`].
    async fn user(&self, who: &Principal, id: u64) -> Result<UserInfo, AuthError>;

    /// Users with an id above `after`, ascending.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] unless an admin asks.
    async fn users(
        &self,
        who: &Principal,
        after: u64,
        limit: usize,
    ) -> Result<Vec<UserInfo>, AuthError>;

    /// Changes a user's rights; a ban ends all its logins.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] unless an admin asks, [`AuthError::NotFound`],
    /// [`AuthError::LastAdmin`].
    async fn change_user(
        &self,
        who: &Principal,
        id: u64,
        patch: UserPatch,
    ) -> Result<UserInfo, AuthError>;

    /// Writes into the audit log what a caller did through a host.
    ///
    /// # Errors
    /// [`AuthError`].
    async fn note(&self, who: &Principal, action: &str, detail: &str) -> Result<(), AuthError>;

    /// The audit log, newest first.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`] unless an admin asks.
    async fn audit(&self, who: &Principal, page: Page) -> Result<Vec<AuditEntry>, AuthError>;
}
