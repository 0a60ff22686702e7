//! API keys: for programs, with no more rights than their scopes and their owner have.

use arb_core::port::{ApiKey, KeyInfo, NewKey, Principal, Scope};
use arb_core::{AuthError, StoreError};
use serde_json::json;

use super::AccountService;
use super::secret::{fingerprint, token};

/// By which people and scanners know a key.
pub(super) const KEY_PREFIX: &str = "arbk_";
/// The most keys of one user that are not revoked.
const MOST_KEYS: usize = 50;
/// The longest name, characters.
const LONGEST_NAME: usize = 64;
/// What a key may not do, as an error says it.
const NO_KEY: &str = "user, by a login and not by a key";

impl AccountService {
    pub(super) async fn make_key(
        &self,
        who: &Principal,
        name: &str,
        scopes: &[Scope],
    ) -> Result<NewKey, AuthError> {
        if who.key.is_some() {
            // A key that leaks must not leave another one behind.
            return Err(self.refuse(who, "create_key", NO_KEY).await?);
        }
        for scope in scopes {
            self.require(who, scope.needs(), "create_key").await?;
        }
        let (name, scopes) = (checked_name(name)?, checked_scopes(scopes)?);
        let live = self.operator.store().api_keys(who.user).await?;
        if live.iter().filter(|key| key.revoked_at.is_none()).count() >= MOST_KEYS {
            return weak("name", format!("there are {MOST_KEYS} keys already; revoke one first"));
        }
        let secret = token(KEY_PREFIX)?;
        let mut key = ApiKey {
            id: 0,
            user: who.user,
            name,
            hash: fingerprint(&secret),
            scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            created_at: self.operator.now(),
            revoked_at: None,
        };
        key.id = self.operator.store().insert_api_key(&key).await?;
        let detail = json!({ "key": key.id, "name": key.name, "scopes": scopes });
        self.operator.named(who).record("key_created", detail).await?;
        Ok(NewKey { secret, info: info(key)? })
    }

    pub(super) async fn list_keys(&self, who: &Principal) -> Result<Vec<KeyInfo>, AuthError> {
        let keys = self.operator.store().api_keys(who.user).await?;
        keys.into_iter().map(info).collect()
    }

    pub(super) async fn end_key(&self, who: &Principal, id: u64) -> Result<(), AuthError> {
        if who.key.is_some_and(|key| key != id) {
            return Err(self.refuse(who, "revoke_key", NO_KEY).await?);
        }
        let at = self.operator.now();
        if !self.operator.store().revoke_api_key(who.user, id, at).await? {
            return Err(AuthError::NotFound);
        }
        self.operator.named(who).record("key_revoked", json!({ "key": id })).await
    }

    /// Who presents a key.
    pub(super) async fn holder(&self, secret: &str) -> Result<Principal, AuthError> {
        let key = self.operator.store().api_key(&fingerprint(secret)).await?;
        let key = key.filter(|key| key.revoked_at.is_none()).ok_or(AuthError::Token)?;
        let user = self.operator.store().user(key.user).await?;
        let user = user.filter(|user| user.banned_at.is_none()).ok_or(AuthError::Token)?;
        let id = key.id;
        let granted = info(key)?.scopes.into_iter().map(Scope::role).max();
        let granted = granted.ok_or(AuthError::Token)?;
        let role = user.role.min(granted);
        Ok(Principal { user: user.id, email: user.email, role, key: Some(id) })
    }
}

fn weak<T>(field: &'static str, message: String) -> Result<T, AuthError> {
    Err(AuthError::Weak { field, message })
}

fn checked_name(name: &str) -> Result<String, AuthError> {
    let name = name.trim();
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || name.chars().any(char::is_control) {
        return weak("name", format!("needs 1 to {LONGEST_NAME} characters in one line"));
    }
    // Somebody who pastes the old key as the name of the new one would store and show it.
    if name.contains(KEY_PREFIX) {
        return weak("name", format!("looks like a key ({KEY_PREFIX}…); choose a name"));
    }
    Ok(name.to_owned())
}

/// Each once, least first.
fn checked_scopes(scopes: &[Scope]) -> Result<Vec<Scope>, AuthError> {
    if scopes.is_empty() {
        let names = Scope::ALL.map(Scope::as_str).join(", ");
        return weak("scopes", format!("at least one of {names} is needed"));
    }
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// A key without its secret.
fn info(key: ApiKey) -> Result<KeyInfo, AuthError> {
    let ApiKey { id, name, scopes, created_at, revoked_at, .. } = key;
    let scope = |name: &String| {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        known.ok_or_else(|| {
            let what = format!("no scope is called {name:?}");
            StoreError::Corrupt { table: "api_keys", key: id.to_string(), what }
        })
    };
    let scopes = scopes.iter().map(scope).collect::<Result<_, _>>()?;
    Ok(KeyInfo { id, name, scopes, created_at, revoked_at })
}
