//! Accounts in a store of their own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arb::accounts::{AccountOptions, AccountService, HashCost, Limits, OneTimeLogin, SigningKeys};
use arb::port::{
    Accounts as _, AuditEntry, Clock, InviteWish, Origin, Page, Principal, Session, Store, UserRole,
};
use arb::sqlite::SqliteOptions;
use arb::time::HOUR;
use arb::{AuthError, MemoryStore, Timestamp};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(crate) const PASSWORD: &str = "lamp orbit cactus violin";
pub(crate) const SECRET: &str = "a secret of the tests with forty bytes...";

/// Each claim on a memory store and on SQLite.
macro_rules! on_both_stores {
    ($($claim:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim($crate::accounts::support::World::memory()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim($crate::accounts::support::World::sqlite().await).await;
            })*
        }
    };
}

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn wait(&self, _until: Timestamp) -> Duration {
        Duration::ZERO
    }
}

pub(crate) struct World {
    pub(crate) accounts: AccountService,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) fn memory() -> Self {
        Self::over(Arc::new(MemoryStore::default()), None)
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteOptions::new(folder.path().join("arb.db")).open().await.unwrap();
        Self::over(Arc::new(store), Some(folder))
    }

    fn over(store: Arc<dyn Store>, folder: Option<tempfile::TempDir>) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(START.as_nanos())));
        let accounts = Self::open(&store, &clock, SECRET, Limits::default());
        Self { accounts, store, clock, _folder: folder }
    }

    fn open(
        store: &Arc<dyn Store>,
        clock: &Arc<TestClock>,
        secret: &str,
        limits: Limits,
    ) -> AccountService {
        let keys = SigningKeys::parse("test", secret).unwrap();
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        AccountOptions::new(Arc::clone(store), clock, keys)
            .hash_cost(HashCost { memory_kib: 8, passes: 1, lanes: 1 })
            .limits(limits)
            .open()
            .unwrap()
    }

    /// Another service over the same store, such as after a restart.
    pub(crate) fn again(&self, secret: &str, limits: Limits) -> AccountService {
        Self::open(&self.store, &self.clock, secret, limits)
    }

    pub(crate) fn pass(&self, nanos: i64) {
        self.clock.0.fetch_add(nanos, Ordering::SeqCst);
    }

    pub(crate) async fn invite(&self, role: UserRole, uses: u32) -> String {
        let expires_at = Some(self.clock.now().plus(HOUR));
        let wish = InviteWish { role, uses, expires_at };
        self.accounts.operator().create_invite(wish).await.unwrap().code
    }

    /// A user who has registered, from an address of its own.
    pub(crate) async fn member(&self, email: &str, role: UserRole) -> Session {
        let code = self.invite(role, 1).await;
        let from = at(u8::try_from(email.len()).unwrap());
        self.accounts.register(from, email, PASSWORD, &code).await.unwrap()
    }

    pub(crate) async fn who(&self, session: &Session) -> Principal {
        self.accounts.authenticate(&session.access).await.unwrap()
    }

    /// An admin who is logged in.
    pub(crate) async fn admin(&self) -> Principal {
        let made = self.accounts.bootstrap_admin().await.unwrap();
        let OneTimeLogin { email, password } = made.unwrap();
        let session = self.accounts.login(at(250), &email, password.expose()).await.unwrap();
        self.who(&session).await
    }

    /// The audit log, oldest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        let mut rows = self.store.audit(Page::first(1_000)).await.unwrap();
        rows.reverse();
        rows
    }

    /// What the audit log says last, without its number.
    pub(crate) async fn last(&self) -> (Option<u64>, String, String) {
        let entry = self.audit().await.pop().unwrap();
        (entry.user, entry.action, entry.detail)
    }
}

/// Somebody of this address.
pub(crate) fn at(host: u8) -> Origin {
    Origin { address: Some(IpAddr::from([192, 0, 2, host])) }
}

#[track_caller]
pub(crate) fn is_token<T: std::fmt::Debug>(answer: Result<T, AuthError>) {
    assert!(matches!(answer, Err(AuthError::Token)), "{answer:?}");
}

/// How long a limit asks to wait.
#[track_caller]
pub(crate) fn limited<T: std::fmt::Debug>(answer: Result<T, AuthError>) -> Duration {
    match answer {
        Err(AuthError::Limited { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}
