//! Users, invites, tokens, keys and the audit log. Times are kept as given.

use std::collections::BTreeMap;

use arb_core::port::{
    AccountStore, ApiKey, AuditEntry, Invite, NewUser, Page, RefreshToken, UserChange, UserRecord,
    UserRole,
};
use arb_core::{StoreError, Timestamp};
use async_trait::async_trait;

use super::book::page;
use super::{MemoryStore, next_id};

#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: Vec<UserRecord>,
    invites: BTreeMap<String, Invite>,
    tokens: BTreeMap<String, RefreshToken>,
    keys: Vec<ApiKey>,
    audit: Vec<AuditEntry>,
}

/// May log in and manage the accounts.
fn governs(user: &UserRecord) -> bool {
    user.role == UserRole::Admin && user.banned_at.is_none()
}

fn taken(table: &'static str, key: &str) -> StoreError {
    let what = "exists already".to_owned();
    StoreError::Conflict { table, key: key.to_owned(), what }
}

impl Accounts {
    fn insert_user(
        &mut self,
        user: &NewUser,
        invite: Option<&str>,
    ) -> Result<Option<UserRecord>, StoreError> {
        let usable = |invite: &&mut Invite| {
            invite.uses_left > 0 && invite.expires_at.is_none_or(|at| at > user.created_at)
        };
        let invite = match invite {
            None => None,
            Some(code) => match self.invites.get_mut(code).filter(usable) {
                None => return Ok(None),
                usable => usable,
            },
        };
        if self.users.iter().any(|old| old.email == user.email) {
            return Err(taken("users", &user.email));
        }
        if let Some(invite) = invite {
            invite.uses_left -= 1;
        }
        let record = UserRecord {
            id: next_id(self.users.len()),
            email: user.email.clone(),
            password_hash: user.password_hash.clone(),
            role: user.role,
            created_at: user.created_at,
            banned_at: None,
        };
        self.users.push(record.clone());
        Ok(Some(record))
    }

    fn change_user(
        &mut self,
        id: u64,
        change: &UserChange,
    ) -> Result<Option<UserRecord>, StoreError> {
        let others = self.users.iter().any(|user| user.id != id && governs(user));
        let Some(user) = self.users.iter_mut().find(|user| user.id == id) else { return Ok(None) };
        if change.ends_an_admin() && governs(user) && !others {
            let what = "is the last admin".to_owned();
            return Err(StoreError::Conflict { table: "users", key: user.email.clone(), what });
        }
        match change {
            UserChange::Role(role) => user.role = *role,
            UserChange::Banned(at) => user.banned_at = *at,
            UserChange::PasswordHash(hash) => user.password_hash.clone_from(hash),
        }
        Ok(Some(user.clone()))
    }

    fn insert_token(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        if self.tokens.contains_key(&token.hash) {
            return Err(taken("refresh_tokens", "the hash"));
        }
        self.tokens.retain(|_, old| old.user != token.user || old.expires_at > token.issued_at);
        self.tokens.insert(token.hash.clone(), token.clone());
        Ok(())
    }

    fn revoke(&mut self, at: Timestamp, which: impl Fn(&RefreshToken) -> bool) -> u64 {
        let tokens = self.tokens.values_mut();
        let live = tokens.filter(|token| which(token) && token.revoked_at.is_none());
        live.map(|token| token.revoked_at = Some(at)).count() as u64
    }
}

#[async_trait]
impl AccountStore for MemoryStore {
    async fn insert_user(
        &self,
        user: &NewUser,
        invite: Option<&str>,
    ) -> Result<Option<UserRecord>, StoreError> {
        self.state().accounts.insert_user(user, invite)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError> {
        Ok(self.state().accounts.users.iter().find(|user| user.email == email).cloned())
    }

    async fn user(&self, id: u64) -> Result<Option<UserRecord>, StoreError> {
        Ok(self.state().accounts.users.iter().find(|user| user.id == id).cloned())
    }

    async fn users(&self, after: u64, limit: usize) -> Result<Vec<UserRecord>, StoreError> {
        let state = self.state();
        let users = state.accounts.users.iter().filter(|user| user.id > after);
        Ok(users.take(limit).cloned().collect())
    }

    async fn change_user(
        &self,
        id: u64,
        change: &UserChange,
    ) -> Result<Option<UserRecord>, StoreError> {
        self.state().accounts.change_user(id, change)
    }

    async fn insert_invite(&self, invite: &Invite) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.accounts.invites.contains_key(&invite.code) {
            return Err(taken("invite_codes", "the code"));
        }
        state.accounts.invites.insert(invite.code.clone(), invite.clone());
        Ok(())
    }

    async fn invite(&self, code: &str) -> Result<Option<Invite>, StoreError> {
        Ok(self.state().accounts.invites.get(code).cloned())
    }

    async fn revoke_invite(&self, code: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        let invite = state.accounts.invites.get_mut(code).filter(|invite| invite.uses_left > 0);
        Ok(invite.map(|invite| invite.uses_left = 0).is_some())
    }

    async fn invites(&self) -> Result<Vec<Invite>, StoreError> {
        let mut invites: Vec<Invite> = self.state().accounts.invites.values().cloned().collect();
        invites.sort_by_key(|invite| std::cmp::Reverse(invite.created_at));
        Ok(invites)
    }

    async fn insert_refresh_token(&self, token: &RefreshToken) -> Result<(), StoreError> {
        self.state().accounts.insert_token(token)
    }

    async fn refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>, StoreError> {
        Ok(self.state().accounts.tokens.get(hash).cloned())
    }

    async fn replace_refresh_token(
        &self,
        old: &str,
        new: &RefreshToken,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let live = |t: &&RefreshToken| t.replaced_at.is_none() && t.revoked_at.is_none();
        if state.accounts.tokens.get(old).filter(live).is_none() {
            return Ok(false);
        }
        state.accounts.insert_token(new)?;
        if let Some(token) = state.accounts.tokens.get_mut(old) {
            token.replaced_at = Some(new.issued_at);
        }
        Ok(true)
    }

    async fn revoke_family(&self, family: &str, at: Timestamp) -> Result<u64, StoreError> {
        Ok(self.state().accounts.revoke(at, |token| token.family == family))
    }

    async fn revoke_user_tokens(&self, user: u64, at: Timestamp) -> Result<u64, StoreError> {
        Ok(self.state().accounts.revoke(at, |token| token.user == user))
    }

    async fn insert_api_key(&self, key: &ApiKey) -> Result<u64, StoreError> {
        let mut state = self.state();
        if state.accounts.keys.iter().any(|old| old.hash == key.hash) {
            return Err(taken("api_keys", "the hash"));
        }
        let id = next_id(state.accounts.keys.len());
        state.accounts.keys.push(ApiKey { id, ..key.clone() });
        Ok(id)
    }

    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.state().accounts.keys.iter().find(|key| key.hash == hash).cloned())
    }

    async fn api_keys(&self, user: u64) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.state();
        Ok(state.accounts.keys.iter().filter(|key| key.user == user).cloned().collect())
    }

    async fn revoke_api_key(&self, user: u64, id: u64, at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let mut keys = state.accounts.keys.iter_mut();
        let own = |key: &&mut ApiKey| key.id == id && key.user == user && key.revoked_at.is_none();
        let Some(key) = keys.find(own) else { return Ok(false) };
        key.revoked_at = Some(at);
        Ok(true)
    }

    async fn append_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut state = self.state();
        let id = next_id(state.accounts.audit.len());
        state.accounts.audit.push(AuditEntry { id, ..entry.clone() });
        Ok(())
    }

    async fn audit(&self, pages: Page) -> Result<Vec<AuditEntry>, StoreError> {
        let place = |entry: &AuditEntry| (entry.at, entry.id);
        Ok(page(&self.state().accounts.audit, pages, place, |_| true))
    }
}
