//! Who is calling, and from where.
//!
//! Invariant: a handler that takes a [`Caller`] runs only for a caller whose role suffices, and it
//! takes it before it looks at anything else of the request, so that nobody learns by the kind of
//! error what exists.

use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};

use arb_core::AuthError;
use arb_core::port::{Origin, Principal, UserRole};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};

use crate::app::App;
use crate::error::ApiError;

/// The lowest role that a handler serves.
pub(crate) trait Needs {
    const ROLE: UserRole;
}

/// Funding, signals and order flow.
pub(crate) struct Viewer;
/// Also the account that is traded.
pub(crate) struct User;
/// Also acts on the engine.
pub(crate) struct Trader;
/// Also manages users and resets halts.
pub(crate) struct Admin;

impl Needs for Viewer {
    const ROLE: UserRole = UserRole::Viewer;
}
impl Needs for User {
    const ROLE: UserRole = UserRole::User;
}
impl Needs for Trader {
    const ROLE: UserRole = UserRole::Trader;
}
impl Needs for Admin {
    const ROLE: UserRole = UserRole::Admin;
}

/// A caller whose role is at least `R`.
pub(crate) struct Caller<R> {
    pub(crate) who: Principal,
    role: PhantomData<R>,
}

impl<R: Needs> FromRequestParts<App> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers);
        let known = match token {
            Some(token) => app.authenticate(token).await,
            None => Err(ApiError::Unauthorised),
        };
        let who = match known {
            Err(ApiError::Unauthorised) if token.is_some() => {
                let from = origin(&parts.headers, &parts.extensions, app);
                app.limits.refused_token(from)?;
                return Err(ApiError::Unauthorised);
            }
            known => known?,
        };
        who.require(R::ROLE).map_err(|error: AuthError| ApiError::from(error))?;
        Ok(Self { who, role: PhantomData })
    }
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Where a request comes from: the peer, or what a trusted proxy says of it.
pub(crate) fn origin(headers: &HeaderMap, extensions: &Extensions, app: &App) -> Origin {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let trusted = &app.host.options.trusted_proxies;
    let forwarded = peer.filter(|peer| trusted.contains(peer)).and_then(|_| {
        let mut hops: Vec<&str> = Vec::new();
        for value in headers.get_all("x-forwarded-for") {
            hops.extend(value.to_str().ok()?.split(','));
        }
        // Each proxy appends the peer it saw; the last one that is no proxy of ours is the caller.
        let mut hops = hops.into_iter().rev().map_while(|hop| hop.trim().parse::<IpAddr>().ok());
        hops.find(|hop| !trusted.contains(hop))
    });
    Origin { address: forwarded.or(peer) }
}

/// Where a request comes from, for handlers.
pub(crate) struct From(pub(crate) Origin);

impl FromRequestParts<App> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(&parts.headers, &parts.extensions, app)))
    }
}
