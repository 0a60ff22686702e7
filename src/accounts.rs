//! Users, tokens and keys over a store.
//!
//! [`AccountService`] is the [`Accounts`](arb_core::port::Accounts) that hosts are given;
//! [`Operator`] acts without a caller, for whoever holds the store itself.
//!
//! - Passwords are kept as argon2id hashes, computed on few threads at a time. Who does not exist
//!   costs the same work and gets the same answer as who typed a wrong password.
//! - An access token is a JWT (HS256, 24 h) that names its user and its login. Each use looks both
//!   up, so a ban, a logout or another password ends it at once, and a role holds from the next
//!   call on.
//! - A refresh token is 256 random bits, kept as their SHA-256, for 7 days, exchanged at each use.
//!   A used one that comes back later than 60 s after was copied: the whole login ends.
//! - An API key is 256 random bits behind `arbk_`, told once and kept as their SHA-256.
//! - Everything that changes, and everything that was refused, is in the audit log.
//!
//! Invariant: no password, token, key or invite is in a log, an error, a `Debug` or the audit log;
//! none but invites can be read out of the store.

mod email;
mod hashing;
mod keys;
mod limits;
mod login;
mod operator;
mod password;
mod secret;
mod service;
mod signing;

use std::fmt;
use std::sync::Arc;

use arb_core::ConfigError;
use arb_core::port::{Clock, Store};

pub use self::hashing::HashCost;
use self::hashing::Hasher;
use self::limits::Limiters;
pub use self::limits::{Limits, Rate};
pub use self::operator::{OneTimeLogin, Operator};
pub use self::secret::Secret;
pub use self::signing::SigningKeys;

/// Users, tokens and keys over a store.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use arb::accounts::{AccountOptions, SigningKeys};
/// use arb::port::{Clock, Store};
///
/// # fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<(), arb::ConfigError> {
/// let secret = std::env::var("JWT_SECRET").ok();
/// let keys = SigningKeys::load(secret.as_deref(), "arb-data".as_ref())?;
/// let accounts = AccountOptions::new(store, clock, keys).open()?;
/// # Ok(()) }
/// ```
pub struct AccountService {
    /// Acts for nobody; calls act through a copy that names who called.
    operator: Operator,
    signing: SigningKeys,
    limits: Limiters,
}

impl AccountService {
    /// What can be done without a caller; for the process itself, never for a host.
    #[must_use]
    pub const fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Passwords that were hashed since the start: one for each try that was not limited.
    #[must_use]
    pub fn password_hashes(&self) -> u64 {
        self.operator.hasher().count()
    }

    /// Makes an admin with a random password where there is no user at all; tells it this once.
    ///
    /// # Errors
    /// [`arb_core::AuthError::Store`], [`arb_core::AuthError::System`].
    pub async fn bootstrap_admin(&self) -> Result<Option<OneTimeLogin>, arb_core::AuthError> {
        self.operator.bootstrap_admin().await
    }
}

impl fmt::Debug for AccountService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountService").field("signing", &self.signing).finish_non_exhaustive()
    }
}

/// How accounts are opened.
pub struct AccountOptions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signing: SigningKeys,
    cost: HashCost,
    limits: Limits,
}

impl AccountOptions {
    /// Accounts in `store`, by real time, with the default limits and hashing cost.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, signing: SigningKeys) -> Self {
        let (cost, limits) = (HashCost::default(), Limits::default());
        Self { store, clock, signing, cost, limits }
    }

    /// What one password hash costs. Hashes that are stored keep the cost they were made with.
    #[must_use]
    pub const fn hash_cost(mut self, cost: HashCost) -> Self {
        self.cost = cost;
        self
    }

    /// How many tries are allowed.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Opens them. Calls then need a tokio runtime.
    ///
    /// # Errors
    /// [`ConfigError`] for a hashing cost that argon2 does not know.
    pub fn open(self) -> Result<AccountService, ConfigError> {
        let hasher = Hasher::new(self.cost)?;
        Ok(AccountService {
            limits: Limiters::new(self.limits, Arc::clone(&self.clock)),
            operator: Operator::with_hasher(self.store, self.clock, hasher),
            signing: self.signing,
        })
    }
}

impl fmt::Debug for AccountOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountOptions")
            .field("signing", &self.signing)
            .field("cost", &self.cost)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
