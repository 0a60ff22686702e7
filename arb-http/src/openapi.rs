//! The OpenAPI document, made of the routes themselves.
//!
//! Invariant: the committed file is what the code says; a test compares them. What any request can
//! be answered is added here, once, to every operation it can happen to.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

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
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            complete(operation);
        }
    }
    (router, document)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// `get_paper_equity_curve`: what generated clients call it, unique and stable.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/").split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// Adds what can happen to every request of this kind; what the operation says itself stays.
fn complete(operation: &mut Operation) {
    let mut add = |status: &str, response: Response| {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    };
    let is_public = operation.security.as_ref().is_some_and(|all| {
        // `security(())` is one requirement of nothing.
        all.iter().all(|one| serde_json::to_value(one).is_ok_and(|v| v == serde_json::json!({})))
    });
    if !is_public {
        add("401", error("No valid access token or API key came with the request."));
        add("403", error("The caller's role or scopes do not suffice."));
    }
    if operation.request_body.is_some() {
        add("408", error("The body did not come in time."));
        add("415", error("The body is not JSON."));
    }
    if operation.request_body.is_some() || operation.parameters.is_some() {
        add("422", json::<ValidationBody>("The request is not valid; where and why."));
    }
    add("413", error("The body is too large."));
    add("429", error("Too often; Retry-After tells when to come again."));
    add("500", error("A fault inside; the answer tells the request's id."));
    add("503", error("Too much to do, or a part does not answer; see Retry-After."));
}

fn error(description: &str) -> Response {
    json::<ErrorBody>(description)
}

fn json<T: ToSchema>(description: &str) -> Response {
    let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
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
