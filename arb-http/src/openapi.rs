//! The OpenAPI document, made of the routes themselves.
//!
//! Invariant: the committed file is what the code says; a test compares them. What any request can
//! be answered is added here, once, to every operation it can happen to.

mod complete;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use self::complete::complete;
use crate::api;
use crate::app::App;
use crate::error::{ErrorBody, ValidationBody};
use crate::stream;

const PATH: &str = "/api/openapi.json";
/// The page runs its own scripts and asks this host, nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "arb",
        description = "Funding rates, order-flow signals, paper and live trading. Prices, \
            quantities and rates are JSON numbers; `ts` is in Unix seconds, `time_ms` in Unix \
            milliseconds, `created_at` in ISO 8601, UTC. Rates, returns and shares are fractions. \
            A figure that is not known is null."
    ),
    components(schemas(ErrorBody, ValidationBody, crate::error::Flaw)),
    security(("bearer" = []))
)]
struct Base;

/// The document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    let (_, document) = documented();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The routes, and the document of them.
pub(crate) fn documented() -> (Router<App>, Document) {
    let routes =
        OpenApiRouter::with_openapi(Base::openapi()).merge(api::routes()).merge(stream::routes());
    let (router, mut document) = routes.split_for_parts();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token of /api/login, or an API key."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    complete(&mut document);
    (router, document)
}

/// The document itself and the page to browse it, for everybody.
pub(crate) fn pages(document: &Document) -> Router<App> {
    let bytes = Bytes::from(document.to_json().unwrap_or_default());
    let json = axum::routing::get(move || async move {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], bytes).into_response()
    });
    let page: Router<App> = SwaggerUi::new("/docs").config(Config::from(PATH)).into();
    let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    let page =
        page.layer(axum::middleware::map_response(move |mut answer: axum::response::Response| {
            let (name, value) = policy.clone();
            async move {
                answer.headers_mut().insert(name, value);
                answer
            }
        }));
    Router::new().route(PATH, json).merge(page)
}
