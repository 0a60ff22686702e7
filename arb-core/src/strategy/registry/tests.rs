//! Tests of the envelope, the strict reading and the lines in messages.

use proptest::strategy::Strategy as Sample;
use proptest::{prop_assert, proptest};

use super::*;
use crate::event::Event;
use crate::strategy::{Context, Intent};

fn refused(text: &str) -> String {
    Registry::builtin().build("my.json", text).unwrap_err().to_string()
}

#[test]
fn every_builtin_text_builds_under_its_name() {
    for name in Registry::builtin_names() {
        let text = Registry::builtin_text(name).unwrap();
        assert_eq!(Registry::builtin().build(name, text).unwrap().name(), name);
    }
    assert_eq!(
        Registry::builtin_names().collect::<Vec<_>>(),
        ["v51_baseline", "v52_8signals", "funding_carry"]
    );
    assert_eq!(Registry::builtin_text("v53"), None);
}

#[test]
fn an_unknown_kind_is_told_with_the_known_ones() {
    assert_eq!(
        refused("{\n  \"name\": \"a\",\n  \"kind\": \"layered\"\n}"),
        "my.json:3: kind: \"layered\" is unknown; known kinds: funding_carry, layered_score"
    );
}

#[test]
fn a_bad_name_is_told_with_the_allowed_letters() {
    for name in ["", "V52", "a-b", "ä", "a b", &"a".repeat(41)] {
        let text = format!("{{\"kind\": \"layered_score\",\n\"name\": \"{name}\"}}");
        assert_eq!(
            refused(&text),
            format!("my.json:2: name: {name:?} is no name; 1 to 40 of a-z, 0-9 and _ are allowed")
        );
    }
}

#[test]
fn what_is_no_strategy_at_all_is_told() {
    for (text, expected) in [
        ("", "my.json:1: json: is empty; a JSON object is needed"),
        ("{\n", "my.json:2: json: the text ends inside an object"),
        ("\n[]", "my.json:2: json: is a list of 0; an object with `kind` and `name` is needed"),
        ("7", "my.json:1: json: is the number 7; an object with `kind` and `name` is needed"),
        ("{\"kind\": 7}", "my.json:1: kind: is the number 7; a text in double quotes is needed"),
        ("{\n7: 8}", "my.json:2: json: a name in double quotes must stand before each colon"),
        ("{\n\"kind\": \"x\"\n}", "my.json:3: name: missing field `name`"),
        ("{\"kind\": \"x\", \"kind\": \"x\"}", "my.json:1: kind: duplicate field `kind`"),
        ("{\"kind\": \"x\", \"name\": \"y\"}\n}", "my.json:2: json: has text behind its end"),
    ] {
        assert_eq!(refused(text), expected);
    }
}

#[test]
fn the_line_is_the_one_of_the_path_not_of_the_word() {
    let text = "{\n\"a\": \"b\",\n\"c\": {\"b\": [1,\n2]},\n\"d\": {\n\"b\": 1},\n\"b\": 2\n}";
    let lines = ["a", "c", "c.b", "d", "d.b", "b"].map(|path| line_of(text, path));
    assert_eq!(lines, [2, 3, 3, 5, 6, 7].map(Some));
    assert_eq!(line_of(text, "e"), None);
    assert_eq!(line_of(text, "d.e"), None);
}

#[derive(Debug)]
struct Still;

impl Strategy for Still {
    fn name(&self) -> &str {
        "still"
    }
    fn on_event(&mut self, _: &Context<'_>, _: &Event, _: &mut Vec<Intent>) {}
}

#[test]
fn own_kinds_stand_beside_the_builtin_ones() {
    const fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    let mut registry = Registry::builtin();
    registry.register("still", |_: &str, _: &str| Ok(Box::new(Still) as Box<dyn Strategy>));
    is_shared(&registry);
    assert_eq!(registry.kinds().collect::<Vec<_>>(), ["funding_carry", "layered_score", "still"]);
    let copy = registry.clone();
    let built = copy.build("my.json", "{\"kind\": \"still\", \"name\": \"still\"}").unwrap();
    assert_eq!(built.name(), "still");
    assert_eq!(format!("{copy:?}"), "{\"funding_carry\", \"layered_score\", \"still\"}");
}

/// A built-in text with a few bytes cut out and others put in their place.
fn damaged() -> impl Sample<Value = String> {
    let text = Registry::builtin_text("v52_8signals").unwrap();
    (0..text.len(), 0_usize..20, "[\\x20-\\x7e\\n]{0,6}").prop_map(move |(at, cut, put)| {
        let end = (at + cut).min(text.len());
        format!("{}{put}{}", &text[..at], &text[end..])
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".*") {
        fuzz_strategy_json(text.as_bytes());
    }

    #[test]
    fn damaged_text_never_panics_and_errors_have_a_line(text in damaged()) {
        if let Err(error) = Registry::builtin().build("my.json", &text) {
            prop_assert!(error.line.0.is_some(), "{error}");
            prop_assert!(!error.field.is_empty() && !error.message.is_empty(), "{error:?}");
        }
    }
}
