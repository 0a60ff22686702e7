//! Users, tokens, keys and the audit log.

use arb_core::Timestamp;
use arb_core::port::{
    AuditEntry, Invite, KeyInfo, NewKey, Scope, Session, TradingSettings, UserInfo, UserRole,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Num;
use super::names::{RoleName, ScopeName};

/// It is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Done {
    /// Always true.
    pub ok: bool,
}

impl Done {
    pub(crate) const YES: Self = Self { ok: true };
}

/// A logged-in user with its tokens.
#[derive(Clone, Serialize, ToSchema)]
pub struct SessionBody {
    /// Presented with every call, for 24 hours.
    pub access_token: String,
    /// Exchanged for new tokens, for 7 days.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Whose.
    pub user: SessionUser,
}

/// Whose tokens they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionUser {
    /// Stable id.
    pub id: u64,
    /// E-mail, lower case.
    pub email: String,
    /// Rights.
    #[schema(value_type = RoleName)]
    pub role: UserRole,
}

impl std::fmt::Debug for SessionBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionBody").field("user", &self.user).finish_non_exhaustive()
    }
}

impl From<Session> for SessionBody {
    fn from(session: Session) -> Self {
        let Session { access, refresh, user } = session;
        let user = SessionUser { id: user.id, email: user.email, role: user.role };
        Self { access_token: access, refresh_token: refresh, token_type: "bearer", user }
    }
}

/// Exchanged tokens.
#[derive(Clone, Serialize, ToSchema)]
pub struct RefreshedBody {
    /// Presented with every call, for 24 hours.
    pub access_token: String,
    /// The next one to exchange; the old one serves for 60 s more.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
}

impl std::fmt::Debug for RefreshedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshedBody").finish_non_exhaustive()
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserBody {
    /// Stable id.
    pub id: u64,
    /// E-mail, lower case.
    pub email: String,
    /// Rights.
    #[schema(value_type = RoleName)]
    pub role: UserRole,
    /// ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// May not log in since then; ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub banned_at: Option<String>,
}

impl From<UserInfo> for UserBody {
    fn from(user: UserInfo) -> Self {
        Self {
            id: user.id,
            email: user.email,
            role: user.role,
            created_at: user.created_at.to_string(),
            banned_at: iso(user.banned_at),
        }
    }
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Me {
    /// Stable id.
    pub id: u64,
    /// E-mail, lower case.
    pub email: String,
    /// Rights, narrowed by the scopes of an API key.
    #[schema(value_type = RoleName)]
    pub role: UserRole,
    /// ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub created_at: String,
}

fn iso(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// Permission to register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InviteBody {
    /// What the new user types in.
    pub code: String,
    /// Rights of who registers by it.
    #[schema(value_type = RoleName)]
    pub role: UserRole,
    /// How often it can still be used.
    pub uses_left: u32,
    /// Not valid from then on; ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub expires_at: Option<String>,
    /// Who made it; null for the command line.
    pub created_by: Option<u64>,
    /// ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub created_at: String,
}

impl From<Invite> for InviteBody {
    fn from(invite: Invite) -> Self {
        Self {
            code: invite.code,
            role: invite.role,
            uses_left: invite.uses_left,
            expires_at: iso(invite.expires_at),
            created_by: invite.created_by,
            created_at: invite.created_at.to_string(),
        }
    }
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyBody {
    /// Stable id.
    pub id: u64,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    #[schema(value_type = Vec<ScopeName>)]
    pub scopes: Vec<Scope>,
    /// ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub revoked_at: Option<String>,
}

impl From<KeyInfo> for KeyBody {
    fn from(key: KeyInfo) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at.to_string(),
            revoked_at: iso(key.revoked_at),
        }
    }
}

/// An API key that was just made.
#[derive(Clone, Serialize, ToSchema)]
pub struct NewKeyBody {
    /// What the program presents; told this once.
    pub secret: String,
    /// The key.
    #[serde(flatten)]
    pub key: KeyBody,
}

impl std::fmt::Debug for NewKeyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKeyBody").field("key", &self.key).finish_non_exhaustive()
    }
}

impl From<NewKey> for NewKeyBody {
    fn from(key: NewKey) -> Self {
        Self { secret: key.secret, key: key.info.into() }
    }
}

/// Something somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditItem {
    /// Row.
    pub id: u64,
    /// ISO 8601, UTC.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// Who; null for the system.
    pub user: Option<u64>,
    /// What, such as `login_failed`.
    pub action: String,
    /// In words or JSON.
    pub detail: String,
}

impl From<AuditEntry> for AuditItem {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, user, action, detail } = entry;
        Self { id, created_at: at.to_string(), user, action, detail }
    }
}

/// What an operator may change while the engine runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigBody {
    /// Whether entries are allowed.
    pub enabled: bool,
    /// Names of the strategies that decide, of those the node was started with.
    pub enabled_strategies: Vec<String>,
    /// The balance that a share of risk refers to, quote currency.
    pub initial_balance: Num,
    /// Share of it that one trade of size 1 risks.
    pub risk_per_trade: Num,
    /// Open directional positions at most.
    pub max_positions: u32,
    /// Size of an entry by tier.
    #[serde(deserialize_with = "crate::extract::object")]
    pub tier_multiplier: TierSizes,
}

/// Sizes of entries by tier, in R.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierSizes {
    /// Always 0: a light signal is never traded.
    pub light: Num,
    /// Usually 1.
    pub standard: Num,
    /// Usually 1.5.
    pub heavy: Num,
}

impl From<&TradingSettings> for ConfigBody {
    fn from(settings: &TradingSettings) -> Self {
        Self {
            enabled: settings.enabled,
            enabled_strategies: settings.enabled_strategies.clone(),
            initial_balance: settings.initial_balance.into(),
            risk_per_trade: settings.risk_per_trade.into(),
            max_positions: settings.max_positions,
            tier_multiplier: TierSizes {
                light: settings.tier_multiplier.light.into(),
                standard: settings.tier_multiplier.standard.into(),
                heavy: settings.tier_multiplier.heavy.into(),
            },
        }
    }
}
