//! Password hashes: argon2id, a bounded number at a time.
//!
//! Invariant: a try costs one hash whether its user exists or not; hashes neither fill the memory
//! nor take all processors from the engine.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use arb_core::{AuthError, ConfigError, StoreError};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{Error as HashError, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::secret::random;

/// Bytes of salt; RFC 9106 recommends 16.
const SALT: usize = 16;
/// Tries that may wait for a thread; who comes later is told to come again.
const QUEUE: usize = 64;
/// When to come again.
const BUSY: Duration = Duration::from_secs(1);

/// What one password hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes that could run in parallel.
    pub lanes: u32,
}

impl Default for HashCost {
    /// 19 MiB, two passes, one lane: what OWASP recommends at least for argon2id.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Computes and verifies hashes.
pub(super) struct Hasher {
    argon2: Argon2<'static>,
    /// Verified for users that do not exist; no password is known to give it.
    nobody: PasswordHash,
    threads: Arc<Semaphore>,
    queue: Semaphore,
    count: AtomicU64,
}

impl Hasher {
    pub(super) fn new(cost: HashCost) -> Result<Self, ConfigError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None);
        let nobody = params.map_err(HashError::from).and_then(|params| {
            let (salt, hash) = ([0; SALT], [0; Params::DEFAULT_OUTPUT_LEN]);
            let nobody = PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&params)?,
                salt: Some(Salt::new(&salt)?),
                hash: Some(Output::new(&hash)?),
            };
            Ok((Argon2::new(Algorithm::Argon2id, Version::V0x13, params), nobody))
        });
        let (argon2, nobody) = nobody.map_err(|error| {
            let message = format!("{cost:?} cannot be used: {error}; the default is safe");
            ConfigError::new("accounts", None, "hash_cost", message)
        })?;
        // The engine shares this machine.
        let threads = available_parallelism().map_or(1, NonZero::get).div_ceil(2).min(4);
        Ok(Self {
            argon2,
            nobody,
            threads: Arc::new(Semaphore::new(threads)),
            queue: Semaphore::new(QUEUE),
            count: AtomicU64::new(0),
        })
    }

    /// Hashes since the start.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Hashes a password with a new salt.
    pub(super) async fn hash(&self, password: &str) -> Result<String, AuthError> {
        let salt = random::<SALT>()?;
        let password = password.to_owned();
        let work = move |argon2: &Argon2<'_>| {
            argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
        };
        self.run(work).await?.map_err(|error| AuthError::System(error.to_string().into()))
    }

    /// Whether the password is that of the stored hash; never, after the same work, without one.
    pub(super) async fn verify(
        &self,
        password: &str,
        stored: Option<&str>,
    ) -> Result<bool, AuthError> {
        let hash = stored.map(PasswordHash::new).transpose().map_err(|error| corrupt(&error))?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let password = password.to_owned();
        let work = move |argon2: &Argon2<'_>| argon2.verify_password(password.as_bytes(), &hash);
        match self.run(work).await? {
            Ok(()) => Ok(known),
            Err(HashError::PasswordInvalid) => Ok(false),
            Err(error) => Err(corrupt(&error)),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'_>) -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let _waiting =
            self.queue.try_acquire().map_err(|_| AuthError::Limited { retry_after: BUSY })?;
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|error| AuthError::System(Box::new(error)))?;
        self.count.fetch_add(1, Ordering::Relaxed);
        let argon2 = self.argon2.clone();
        let done = spawn_blocking(move || {
            let value = work(&argon2);
            // Held until the work is done, also when nobody waits for it any more.
            drop(thread);
            value
        });
        done.await.map_err(|error| AuthError::System(Box::new(error)))
    }
}

fn corrupt(error: &dyn std::fmt::Display) -> AuthError {
    let what = format!("cannot be read: {error}; set the password again");
    StoreError::Corrupt { table: "users", key: "a password hash".to_owned(), what }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Hasher {
        Hasher::new(HashCost { memory_kib: 8, passes: 1, lanes: 1 }).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_again_by_its_hash_alone() {
        let hasher = cheap();
        let hash = hasher.hash("one password").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash("one password").await.unwrap(), "salted");
        assert!(hasher.verify("one password", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("other password", Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn hashes_keep_the_cost_they_were_made_with() {
        let hash = cheap().hash("one password").await.unwrap();
        let dearer = Hasher::new(HashCost { memory_kib: 16, passes: 2, lanes: 1 }).unwrap();
        assert!(dearer.verify("one password", Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_costs_one_hash_of_the_same_parameters_and_is_never_let_in() {
        let hasher = cheap();
        let hash = hasher.hash("one password").await.unwrap();
        assert_eq!(hasher.count(), 1);
        assert!(!hasher.verify("one password", None).await.unwrap());
        assert_eq!(hasher.count(), 2);
        let parameters =
            |text: &str| text.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&hasher.nobody.to_string()), parameters(&hash));
    }

    #[tokio::test]
    async fn a_damaged_hash_is_told_without_its_text() {
        let error = cheap().verify("one password", Some("$argon2id$oops")).await.unwrap_err();
        assert!(matches!(error, AuthError::Store(StoreError::Corrupt { .. })), "{error:?}");
        assert!(!error.to_string().contains("oops"), "{error}");
    }

    #[tokio::test]
    async fn a_full_queue_asks_to_come_again() {
        let hasher = cheap();
        let waiting = hasher.queue.try_acquire_many(64).unwrap();
        let error = hasher.hash("one password").await.unwrap_err();
        assert!(matches!(error, AuthError::Limited { retry_after: BUSY }), "{error:?}");
        assert_eq!(hasher.count(), 0);
        drop(waiting);
        hasher.hash("one password").await.unwrap();
    }

    #[test]
    fn the_default_cost_is_what_owasp_recommends_and_an_impossible_one_is_refused() {
        let hasher = Hasher::new(HashCost::default()).unwrap();
        assert!(hasher.nobody.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let error = Hasher::new(HashCost { memory_kib: 0, passes: 1, lanes: 1 }).err().unwrap();
        assert!(error.to_string().contains("hash_cost"), "{error}");
    }
}
