//! The accounts as hosts call them: who asks is checked here, what happens is done elsewhere.

use arb_core::AuthError;
use arb_core::port::{
    Accounts, AuditEntry, Invite, InviteWish, KeyInfo, NewKey, Origin, Page, Principal,
    RefreshToken, Scope, Session, UserInfo, UserPatch, UserRole,
};
use async_trait::async_trait;
use serde_json::json;

use super::AccountService;
use super::keys::KEY_PREFIX;
use super::secret::fingerprint;

/// The longest name of what a host did, characters.
const LONGEST_ACTION: usize = 64;
/// The longest text about it, characters.
const LONGEST_DETAIL: usize = 4_000;

impl AccountService {
    /// Checks the rights; what is refused is told to the audit log.
    pub(super) async fn require(
        &self,
        who: &Principal,
        role: UserRole,
        what: &str,
    ) -> Result<(), AuthError> {
        match who.require(role) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.refuse(who, what, role.as_str()).await?),
        }
    }

    /// The error of a refused call, of which the audit log hears once a minute for each user.
    pub(super) async fn refuse(
        &self,
        who: &Principal,
        what: &str,
        needed: &'static str,
    ) -> Result<AuthError, AuthError> {
        if self.limits.tell(who.user) {
            let detail = json!({ "what": what, "role": who.role, "needed": needed });
            self.operator.named(who).record("refused", detail).await?;
        }
        Ok(AuthError::Forbidden { needed })
    }

    /// Who presents an access token.
    async fn bearer(&self, token: &str) -> Result<Principal, AuthError> {
        let store = self.operator.store();
        let access = self.signing.verify(token, self.operator.now()).ok_or(AuthError::Token)?;
        let login = store.refresh_token(&access.login).await?;
        let live = |login: RefreshToken| login.user == access.user && login.revoked_at.is_none();
        if !login.is_some_and(live) {
            return Err(AuthError::Token);
        }
        let user = store.user(access.user).await?;
        let user = user.filter(|user| user.banned_at.is_none()).ok_or(AuthError::Token)?;
        Ok(Principal { user: user.id, email: user.email, role: user.role, key: None })
    }
}

#[async_trait]
impl Accounts for AccountService {
    async fn register(
        &self,
        from: Origin,
        email: &str,
        password: &str,
        invite: &str,
    ) -> Result<Session, AuthError> {
        self.register_user(from, (email, password), invite).await
    }

    async fn login(&self, from: Origin, email: &str, password: &str) -> Result<Session, AuthError> {
        self.log_in(from, email, password).await
    }

    async fn refresh(&self, from: Origin, refresh: &str) -> Result<Session, AuthError> {
        self.refresh_session(from, refresh).await
    }

    async fn logout(&self, who: &Principal, refresh: &str) -> Result<(), AuthError> {
        let token = self.operator.store().refresh_token(&fingerprint(refresh)).await?;
        let token = token.filter(|token| token.user == who.user).ok_or(AuthError::Token)?;
        let now = self.operator.now();
        let revoked = self.operator.store().revoke_family(&token.family, now).await?;
        if revoked > 0 {
            self.operator.named(who).record("logout", json!({})).await?;
        }
        Ok(())
    }

    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        if bearer.starts_with(KEY_PREFIX) {
            self.holder(bearer).await
        } else {
            self.bearer(bearer).await
        }
    }

    async fn create_key(
        &self,
        who: &Principal,
        name: &str,
        scopes: &[Scope],
    ) -> Result<NewKey, AuthError> {
        self.make_key(who, name, scopes).await
    }

    async fn keys(&self, who: &Principal) -> Result<Vec<KeyInfo>, AuthError> {
        self.list_keys(who).await
    }

    async fn revoke_key(&self, who: &Principal, id: u64) -> Result<(), AuthError> {
        self.end_key(who, id).await
    }

    async fn create_invite(&self, who: &Principal, wish: InviteWish) -> Result<Invite, AuthError> {
        self.require(who, UserRole::Admin, "create_invite").await?;
        self.operator.named(who).create_invite(wish).await
    }

    async fn invites(&self, who: &Principal) -> Result<Vec<Invite>, AuthError> {
        self.require(who, UserRole::Admin, "invites").await?;
        self.operator.invites().await
    }

    async fn user(&self, who: &Principal, id: u64) -> Result<UserInfo, AuthError> {
        if who.user != id {
            self.require(who, UserRole::Admin, "user").await?;
        }
        self.operator.user(id).await
    }

    async fn users(
        &self,
        who: &Principal,
        after: u64,
        limit: usize,
    ) -> Result<Vec<UserInfo>, AuthError> {
        self.require(who, UserRole::Admin, "users").await?;
        self.operator.users(after, limit).await
    }

    async fn change_user(
        &self,
        who: &Principal,
        id: u64,
        patch: UserPatch,
    ) -> Result<UserInfo, AuthError> {
        self.require(who, UserRole::Admin, "change_user").await?;
        self.operator.named(who).change_user(id, patch).await
    }

    async fn note(&self, who: &Principal, action: &str, detail: &str) -> Result<(), AuthError> {
        let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let by = who.key.map(|key| format!(" (by key {key})")).unwrap_or_default();
        let detail = format!("{}{by}", short(detail, LONGEST_DETAIL));
        self.operator.named(who).append(&short(action, LONGEST_ACTION), detail).await
    }

    async fn audit(&self, who: &Principal, page: Page) -> Result<Vec<AuditEntry>, AuthError> {
        self.require(who, UserRole::Admin, "audit").await?;
        self.operator.audit(page).await
    }
}
