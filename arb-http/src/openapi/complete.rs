//! What no handler says of itself: how any request can fail, and what is always there.
//!
//! Invariant: what an operation says itself stays. A failure that many share is told once and
//! referred to.

use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};

use crate::error::{ErrorBody, ValidationBody};

/// Failures that are told once: status, name, when.
const SHARED: [(&str, &str, &str); 9] = [
    ("401", "Unauthorised", "No valid access token or API key came with the request."),
    ("403", "Forbidden", "The caller's role or scopes do not suffice."),
    ("408", "SlowBody", "The body did not come in time."),
    ("413", "TooLarge", "The body is too large."),
    ("415", "NotJson", "The body is not JSON."),
    ("422", "Invalid", "The request is not valid; where and why."),
    ("429", "TooOften", "Too often; Retry-After tells when to come again."),
    ("500", "Fault", "A fault inside; the answer tells the request's id."),
    ("503", "Busy", "Too much to do, or a part does not answer; see Retry-After."),
];
/// Schemas of requests end so; all others are of answers.
const INPUT: &str = "Input";

/// Completes a document.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            failures(operation);
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                optional(body);
            }
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    parameter.schema.iter_mut().for_each(without_null);
                }
            }
        }
    }
    let components = document.components.get_or_insert_default();
    for (status, name, told) in SHARED {
        let response = match status {
            "422" => json::<ValidationBody>(told),
            _ => json::<ErrorBody>(told),
        };
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
    components.schemas.values_mut().for_each(described);
    let answers = components.schemas.iter_mut().filter(|(name, _)| !name.ends_with(INPUT));
    answers.for_each(|(_, schema)| always_there(schema));
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

/// Adds what can happen to every request of this kind.
fn failures(operation: &mut Operation) {
    let is_public = operation.security.as_ref().is_some_and(|all| {
        // `security(())` is one requirement of nothing.
        all.iter().all(|one| serde_json::to_value(one).is_ok_and(|v| v == serde_json::json!({})))
    });
    let (has_body, has_parameters) =
        (operation.request_body.is_some(), operation.parameters.is_some());
    for (status, name, _) in SHARED {
        let can_happen = match status {
            "401" | "403" => !is_public,
            "408" | "415" => has_body,
            "422" => has_body || has_parameters,
            _ => true,
        };
        if can_happen {
            let shared = RefOr::Ref(Ref::from_response_name(name));
            operation.responses.responses.entry(status.to_owned()).or_insert(shared);
        }
    }
}

fn json<T: ToSchema>(description: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name(T::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// A body that may be left out is an object where it comes, and never null.
fn optional(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema else { continue };
        let object = choice.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
        if object.is_some() {
            content.schema = object;
            body.required = Some(Required::False);
        }
    }
}

/// A parameter that may be left out is a text where it comes.
fn without_null(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = schema
        && let SchemaType::Array(kinds) = &object.schema_type
        && let [only, Type::Null] = kinds.as_slice()
    {
        object.schema_type = SchemaType::Type(only.clone());
    }
}

/// A field of a named text is that text with the field's description, not a text that is an object
/// too, which nothing could be.
fn described(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for field in object.properties.values_mut() {
        let RefOr::T(Schema::AllOf(parts)) = &field else { continue };
        let [RefOr::T(Schema::Object(text)), RefOr::T(Schema::Object(told))] = &*parts.items else {
            continue;
        };
        if told.properties.is_empty() {
            let mut text = text.clone();
            text.description.clone_from(&told.description);
            *field = RefOr::T(Schema::Object(text));
        }
    }
}

/// Every field of an answer is written, null where it has no value.
fn always_there(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.required = object.properties.keys().cloned().collect();
        }
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter_mut().for_each(always_there),
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}
