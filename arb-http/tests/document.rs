//! The OpenAPI document and the page to browse it.
//!
//! To rewrite the committed document: `ARB_GOLDEN=write cargo test -p arb-http document`. Every
//! difference is a change of the contract; read it.

use std::path::PathBuf;

use axum::http::StatusCode;
use serde_json::Value;

use crate::caller::Caller;
use crate::fixture::Fixture;

fn document() -> Value {
    serde_json::from_str(&arb_http::openapi_json()).unwrap()
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = arb_http::openapi_json();
    if std::env::var("ARB_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&file, made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == made, "openapi.json differs from the code; see the head of this file");
}

#[tokio::test]
async fn everybody_gets_the_document() {
    let caller = Caller::of(&Fixture::new().await);
    let answer = caller.get("/api/openapi.json", "").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, document()));
    assert_eq!(document()["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_page_brings_everything_with_it() {
    let caller = Caller::of(&Fixture::new().await);
    let moved = caller.get("/docs", "").await;
    assert_eq!(
        (moved.status, moved.headers["location"].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/docs/")
    );
    let page = caller.get("/docs/", "").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("https://"), "nothing is fetched from elsewhere");
    let sources =
        page.text.split(['"', '\'']).filter(|text| text.ends_with(".js") || text.ends_with(".css"));
    let sources: Vec<&str> = sources.collect();
    assert!(sources.len() >= 3, "{sources:?}");
    for source in sources {
        let answer = caller.get(&format!("/docs/{}", source.trim_start_matches("./")), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{source}");
    }
    let start = caller.get("/docs/swagger-initializer.js", "").await;
    assert!(start.text.contains("/api/openapi.json"));
    assert!(
        !page.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self' '")
    );
    let missing = caller.get("/docs/no-such-file", "").await;
    assert_eq!((missing.status, missing.detail().is_empty()), (StatusCode::NOT_FOUND, false));
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    all.collect()
}

#[test]
fn every_operation_tells_what_it_is_and_how_it_can_fail() {
    let document = document();
    let mut names = std::collections::BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name}");
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        for status in ["413", "429", "500", "503"] {
            assert!(responses.contains_key(status), "{name}: {status}");
        }
        let is_public = operation["security"] == serde_json::json!([{}]);
        for status in ["401", "403"] {
            assert!(is_public || responses.contains_key(status), "{name}: {status}");
        }
        let takes = operation.get("parameters").is_some() || operation.get("requestBody").is_some();
        assert_eq!(takes, responses.contains_key("422"), "{name}");
        for (status, response) in responses {
            let shared = response["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
            let response = shared.map_or(response, |place| document.pointer(place).unwrap());
            let described = response["description"].as_str().unwrap_or_default();
            assert!(!described.is_empty(), "{name}: {status}");
            let kinds = response["content"].as_object().into_iter().flatten();
            let has_body = kinds.map(|(_, kind)| kind.get("schema")).any(|schema| schema.is_some());
            assert_eq!(has_body, status != "304" && status != "101", "{name}: {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

#[test]
fn every_field_is_described() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        let fields = schema.get("properties").and_then(Value::as_object);
        for (field, of) in fields.into_iter().flatten() {
            // A reference may stand for itself or behind an allOf.
            let told = of.to_string().contains("\"description\"");
            assert!(told, "{name}.{field}: {of}");
        }
    }
}

#[test]
fn what_may_be_left_out_is_told_and_is_never_null() {
    let document = document();
    let pause = &document["paths"]["/api/live/pause"]["post"];
    assert_eq!(pause["requestBody"]["required"], false);
    let schema = &pause["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/NoInput");
    assert_eq!(pause["parameters"][0]["schema"]["type"], "string");
    let reset = &document["paths"]["/api/live/reset-halt"]["post"];
    assert_eq!(reset["requestBody"]["required"], true);
    let schemas = &document["components"]["schemas"];
    let required = |name: &str| schemas[name]["required"].as_array().unwrap().len();
    assert_eq!(required("Position"), 17, "also those that may be null");
    assert_eq!(required("Rate"), 9);
    assert!(schemas["UserInput"].get("required").is_none());
}

/// Whether something asks for a text that is an object too: nothing could be both.
fn contradicts(value: &Value) -> bool {
    let kinds = value["allOf"].as_array().into_iter().flatten().filter_map(|part| {
        let kind = part["type"].as_str()?;
        Some(kind.to_owned())
    });
    let kinds: std::collections::BTreeSet<String> = kinds.collect();
    kinds.len() > 1
        || match value {
            Value::Object(map) => map.values().any(contradicts),
            Value::Array(list) => list.iter().any(contradicts),
            _ => false,
        }
}

#[test]
fn no_schema_asks_for_two_kinds_at_once() {
    assert!(!contradicts(&document()), "a client could send nothing that fits");
    let both = serde_json::json!({"a": {"allOf": [{"type": "string"}, {"type": "object"}]}});
    assert!(contradicts(&both));
}
