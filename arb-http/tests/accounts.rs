//! Accounts played by hand: a token for each role, and for API keys of an admin.

use std::sync::Mutex;
use std::time::Duration;

use arb_core::AuthError;
use arb_core::port::{
    Accounts, AuditEntry, Invite, InviteWish, KeyInfo, NewKey, Origin, Page, Principal, Scope,
    Session, UserInfo, UserPatch, UserRole,
};
use async_trait::async_trait;
use tokio::sync::Notify;

use crate::fixture::at;

/// What they hold.
#[derive(Default)]
pub(crate) struct Known {
    users: Mutex<Vec<UserInfo>>,
    invites: Mutex<Vec<Invite>>,
    keys: Mutex<Vec<KeyInfo>>,
    pub(crate) audit: Mutex<Vec<AuditEntry>>,
    /// Lets the token `waits` through.
    pub(crate) go: Notify,
    /// Tells that somebody came with the token `waits`.
    pub(crate) waits: Notify,
}

const ROLES: [UserRole; 4] = UserRole::ALL;

impl Known {
    pub(crate) fn new() -> Self {
        let known = Self::default();
        let users = (1..).zip(ROLES).map(|(id, role)| user(id, role));
        known.users.lock().unwrap().extend(users);
        let bot = KeyInfo {
            id: 1,
            name: "bot".to_owned(),
            scopes: vec![Scope::Read],
            created_at: at(-60),
            revoked_at: None,
        };
        known.keys.lock().unwrap().push(bot);
        let audit = (1..=5).map(|id| AuditEntry {
            id,
            at: at(-100 + i64::try_from(id).unwrap() / 2),
            user: (id % 2 == 0).then_some(id),
            action: "login".to_owned(),
            detail: format!("entry {id}"),
        });
        known.audit.lock().unwrap().extend(audit);
        known
    }

    fn of(&self, id: u64) -> Result<UserInfo, AuthError> {
        let users = self.users.lock().unwrap();
        users.iter().find(|user| user.id == id).cloned().ok_or(AuthError::NotFound)
    }

    fn session(&self, id: u64) -> Result<Session, AuthError> {
        let user = self.of(id)?;
        let (access, refresh) = (user.role.as_str().to_owned(), format!("refresh-{id}"));
        Ok(Session { access, refresh, user })
    }
}

fn user(id: u64, role: UserRole) -> UserInfo {
    let email = format!("{}@example.com", role.as_str());
    UserInfo { id, email, role, created_at: at(-3_600), banned_at: None }
}

#[async_trait]
impl Accounts for Known {
    async fn register(
        &self,
        _: Origin,
        email: &str,
        password: &str,
        invite: &str,
    ) -> Result<Session, AuthError> {
        if password.chars().count() < 12 {
            let message = "at least 12 characters are needed".to_owned();
            return Err(AuthError::Weak { field: "password", message });
        }
        if invite != "welcome" {
            return Err(AuthError::Invite);
        }
        let mut users = self.users.lock().unwrap();
        if users.iter().any(|user| user.email == email) {
            return Err(AuthError::EmailTaken);
        }
        let id = users.len() as u64 + 1;
        users.push(UserInfo { email: email.to_owned(), ..user(id, UserRole::User) });
        drop(users);
        self.session(id)
    }

    async fn login(&self, _: Origin, email: &str, password: &str) -> Result<Session, AuthError> {
        let found = self.users.lock().unwrap().iter().find(|user| user.email == email).cloned();
        match (found, password) {
            (Some(_), "too often") => {
                Err(AuthError::Limited { retry_after: Duration::from_millis(1_500) })
            }
            (Some(user), "correct horse") if user.banned_at.is_some() => Err(AuthError::Banned),
            (Some(user), "correct horse") => self.session(user.id),
            _ => Err(AuthError::Credentials),
        }
    }

    async fn refresh(&self, _: Origin, refresh: &str) -> Result<Session, AuthError> {
        let id = refresh.strip_prefix("refresh-").and_then(|id| id.parse().ok());
        self.session(id.ok_or(AuthError::Token)?)
    }

    async fn logout(&self, who: &Principal, refresh: &str) -> Result<(), AuthError> {
        if refresh == format!("refresh-{}", who.user) { Ok(()) } else { Err(AuthError::Token) }
    }

    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        if bearer == "waits" {
            self.waits.notify_one();
            self.go.notified().await;
        }
        assert_ne!(bearer, "panics", "as the test wants it");
        let (role, key) = match bearer {
            "key-read" => (UserRole::User, Some(1)),
            "key-trade" => (UserRole::Trader, Some(2)),
            "key-admin" => (UserRole::Admin, Some(3)),
            "waits" => (UserRole::Viewer, None),
            token => {
                let role = ROLES.into_iter().find(|role| role.as_str() == token);
                (role.ok_or(AuthError::Token)?, None)
            }
        };
        let owner = if key.is_some() { UserRole::Admin } else { role };
        let user = ROLES.iter().position(|each| *each == owner).unwrap() as u64 + 1;
        Ok(Principal { user, email: format!("{}@example.com", owner.as_str()), role, key })
    }

    async fn create_key(
        &self,
        who: &Principal,
        name: &str,
        scopes: &[Scope],
    ) -> Result<NewKey, AuthError> {
        if who.key.is_some() {
            return Err(AuthError::Forbidden { needed: "a login, not an API key" });
        }
        let mut keys = self.keys.lock().unwrap();
        let info = KeyInfo {
            id: keys.len() as u64 + 1,
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            created_at: at(0),
            revoked_at: None,
        };
        keys.push(info.clone());
        Ok(NewKey { secret: "arb_secret".to_owned(), info })
    }

    async fn keys(&self, _: &Principal) -> Result<Vec<KeyInfo>, AuthError> {
        Ok(self.keys.lock().unwrap().clone())
    }

    async fn revoke_key(&self, _: &Principal, id: u64) -> Result<(), AuthError> {
        let mut keys = self.keys.lock().unwrap();
        let key = keys.iter_mut().find(|key| key.id == id).ok_or(AuthError::NotFound)?;
        key.revoked_at = Some(at(0));
        Ok(())
    }

    async fn create_invite(&self, who: &Principal, wish: InviteWish) -> Result<Invite, AuthError> {
        who.require(UserRole::Admin)?;
        let mut invites = self.invites.lock().unwrap();
        let invite = Invite {
            code: format!("code-{}", invites.len() + 1),
            role: wish.role,
            uses_left: wish.uses,
            expires_at: wish.expires_at,
            created_by: Some(who.user),
            created_at: at(0),
        };
        invites.push(invite.clone());
        Ok(invite)
    }

    async fn invites(&self, who: &Principal) -> Result<Vec<Invite>, AuthError> {
        who.require(UserRole::Admin)?;
        Ok(self.invites.lock().unwrap().clone())
    }

    async fn user(&self, who: &Principal, id: u64) -> Result<UserInfo, AuthError> {
        if who.user != id {
            who.require(UserRole::Admin)?;
        }
        self.of(id)
    }

    async fn users(
        &self,
        who: &Principal,
        after: u64,
        limit: usize,
    ) -> Result<Vec<UserInfo>, AuthError> {
        who.require(UserRole::Admin)?;
        let users = self.users.lock().unwrap();
        Ok(users.iter().filter(|user| user.id > after).take(limit).cloned().collect())
    }

    async fn change_user(
        &self,
        who: &Principal,
        id: u64,
        patch: UserPatch,
    ) -> Result<UserInfo, AuthError> {
        who.require(UserRole::Admin)?;
        if id == who.user {
            return Err(AuthError::LastAdmin);
        }
        let mut users = self.users.lock().unwrap();
        let user = users.iter_mut().find(|user| user.id == id).ok_or(AuthError::NotFound)?;
        user.role = patch.role.unwrap_or(user.role);
        match patch.banned {
            Some(true) => user.banned_at = Some(at(0)),
            Some(false) => user.banned_at = None,
            None => {}
        }
        Ok(user.clone())
    }

    async fn note(&self, who: &Principal, action: &str, detail: &str) -> Result<(), AuthError> {
        let mut audit = self.audit.lock().unwrap();
        let id = audit.len() as u64 + 1;
        let (action, detail) = (action.to_owned(), detail.to_owned());
        audit.push(AuditEntry { id, at: at(0), user: Some(who.user), action, detail });
        Ok(())
    }

    async fn audit(&self, who: &Principal, page: Page) -> Result<Vec<AuditEntry>, AuthError> {
        who.require(UserRole::Admin)?;
        let audit = self.audit.lock().unwrap();
        let before = |entry: &&AuditEntry| page.before.is_none_or(|at| (entry.at, entry.id) < at);
        let mut found: Vec<AuditEntry> = audit.iter().filter(before).cloned().collect();
        found.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
        found.truncate(page.limit);
        Ok(found)
    }
}
