//! What the JSON reader says, in words for whoever writes the file.
//!
//! Invariant: a message that is not known here is passed on as it is, never lost.

use std::borrow::Cow;

/// The message without names of Rust types; `range` is what a number in this place may be.
pub(super) fn plain(message: &str, range: Option<&str>) -> String {
    if message == "key must be a string" {
        return "a name in double quotes must stand before each colon".to_owned();
    }
    if let Some(what) = message.strip_prefix("EOF while parsing ") {
        return format!("the text ends inside {what}");
    }
    let kinds = ["invalid type: ", "invalid value: ", "invalid length "];
    let Some((found, wanted)) = kinds
        .iter()
        .find_map(|kind| message.strip_prefix(kind))
        .and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return message.to_owned();
    };
    let found = match message.starts_with("invalid length ") {
        true => Cow::Owned(format!("a list of {found}")),
        false => found_words(found),
    };
    match (wanted_words(wanted), range) {
        (Wanted::Number, Some(range)) => format!("is {found}; a number, {range}, is needed"),
        (Wanted::Number, None) => format!("is {found}; a number is needed"),
        (Wanted::Whole(_), Some(range)) => {
            format!("is {found}; a whole number, {range}, is needed")
        }
        (Wanted::Whole(own), None) => format!("is {found}; a whole number {own} is needed"),
        (Wanted::Other(wanted), _) => format!("is {found}; {wanted} is needed"),
    }
}

fn found_words(found: &str) -> Cow<'_, str> {
    let quoted = |kind: &str| found.strip_prefix(kind).map(|rest| rest.trim_matches('`'));
    if let Some(text) = found.strip_prefix("string ") {
        return Cow::Owned(format!("the text {text}"));
    }
    if let Some(number) = quoted("integer ").or_else(|| quoted("floating point ")) {
        return Cow::Owned(format!("the number {number}"));
    }
    match found {
        "sequence" => Cow::Borrowed("a list"),
        "map" => Cow::Borrowed("an object"),
        other => Cow::Borrowed(quoted("boolean ").unwrap_or(other)),
    }
}

enum Wanted<'a> {
    Number,
    Whole(&'static str),
    Other(&'a str),
}

fn wanted_words(wanted: &str) -> Wanted<'_> {
    match wanted {
        "f64" | "f32" => Wanted::Number,
        "u8" => Wanted::Whole("from 0 to 255"),
        "u16" => Wanted::Whole("from 0 to 65535"),
        "u32" => Wanted::Whole("from 0 to 4294967295"),
        "u64" | "usize" => Wanted::Whole("from 0"),
        "i8" | "i16" | "i32" | "i64" | "isize" => Wanted::Whole("of either sign"),
        "a string" | "string" => Wanted::Other("a text in double quotes"),
        "a boolean" => Wanted::Other("true or false"),
        "a sequence" => Wanted::Other("a list"),
        "a map" => Wanted::Other("an object"),
        other if other.starts_with("struct ") => Wanted::Other("an object"),
        other => Wanted::Other(other),
    }
}
