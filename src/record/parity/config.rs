//! Two configurations, field by field.
//!
//! Invariant: every field that differs is named by its path, with both values as written. The
//! fields of a strategy are those of its own JSON text, so that layout and order say nothing.

use std::collections::{BTreeMap, BTreeSet};

use arb_core::InputName;
use serde_json::Value;

/// A configuration of a journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    value: Value,
}

/// A field that differs; none where a side lacks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) path: String,
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
}

impl Config {
    /// Bytes that are no JSON give an empty configuration; the engine has refused them.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self { value: serde_json::from_slice(bytes).unwrap_or_default() }
    }

    /// The symbols, by the journal's own instrument numbers; with the market where it is not the
    /// perpetual's.
    pub(super) fn symbols(&self) -> Vec<String> {
        self.list("instruments").iter().map(symbol).collect()
    }

    /// The names of the strategies.
    pub(super) fn strategies(&self) -> Vec<String> {
        self.list("strategies").iter().map(|strategy| strategy_of(strategy).0).collect()
    }

    /// Whether strategies do not see an input.
    pub(super) fn masks(&self, input: InputName) -> bool {
        self.list("mask_inputs").iter().any(|name| name.as_str() == Some(input.as_str()))
    }

    /// Whether only decisions with a tier were recorded.
    pub(super) fn records_tiers_only(&self) -> bool {
        self.value.get("record").and_then(Value::as_str) == Some("tiered")
    }

    fn list(&self, name: &str) -> &[Value] {
        self.value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn fields(&self, alone: Naming) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        let Some(top) = self.value.as_object() else { return fields };
        for (name, value) in top {
            match name.as_str() {
                "instruments" => {
                    for instrument in self.list(name) {
                        let path = format!("instruments[{}]", symbol(instrument));
                        flatten(&path, instrument, &mut fields);
                    }
                }
                "strategies" => {
                    for strategy in self.list(name) {
                        let (name, text) = strategy_of(strategy);
                        let path = match alone {
                            Naming::Alone => "strategy".to_owned(),
                            Naming::ByName => format!("strategy[{name}]"),
                        };
                        flatten(&path, &text, &mut fields);
                    }
                }
                "mask_inputs" => {
                    let names = self.list(name).iter().filter_map(Value::as_str);
                    fields.extend(names.map(|input| (format!("{name}.{input}"), "masked".into())));
                }
                _ => flatten(name, value, &mut fields),
            }
        }
        fields
    }
}

/// How the fields of strategies are named.
#[derive(Clone, Copy)]
enum Naming {
    /// Both sides have one: it is the same strategy whatever its name.
    Alone,
    ByName,
}

/// The fields that differ, in the order of their paths.
pub(super) fn difference(a: &Config, b: &Config) -> Vec<Field> {
    let alone = a.strategies().len() == 1 && b.strategies().len() == 1;
    let naming = if alone { Naming::Alone } else { Naming::ByName };
    let (mut a, mut b) = (a.fields(naming), b.fields(naming));
    fold_absent(&mut a, &b);
    fold_absent(&mut b, &a);
    let mut fields: Vec<Field> = Vec::new();
    for (path, value) in a {
        let other = b.remove(&path);
        if other.as_ref() != Some(&value) {
            fields.push(Field { path, a: Some(value), b: other });
        }
    }
    fields.extend(b.into_iter().map(|(path, value)| Field { path, a: None, b: Some(value) }));
    fields.sort_by(|x, y| x.path.cmp(&y.path));
    fields
}

/// Makes one field of an instrument or strategy that the other side does not have at all.
fn fold_absent(own: &mut BTreeMap<String, String>, other: &BTreeMap<String, String>) {
    let whole = |path: &str| path.split_once(']').map(|(name, _)| format!("{name}]"));
    let known: BTreeSet<String> = other.keys().filter_map(|path| whole(path)).collect();
    let absent: BTreeSet<String> =
        own.keys().filter_map(|path| whole(path)).filter(|name| !known.contains(name)).collect();
    own.retain(|path, _| whole(path).is_none_or(|name| !absent.contains(&name)));
    own.extend(absent.into_iter().map(|name| (name, "present".to_owned())));
}

/// Name and fields of a strategy's own JSON text.
fn strategy_of(strategy: &Value) -> (String, Value) {
    let text = strategy.get("text").and_then(Value::as_str).unwrap_or_default();
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let name = parsed.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
    (name, parsed)
}

fn symbol(instrument: &Value) -> String {
    let text =
        |name: &str| instrument.get("spec").and_then(|spec| spec.get(name)).and_then(Value::as_str);
    let symbol = text("symbol").unwrap_or("?");
    match text("market") {
        Some("um") | None => symbol.to_owned(),
        Some(market) => format!("{symbol}/{market}"),
    }
}

/// Leaves by path; numbers that are equal as numbers are equal (`2` and `2.0`).
fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                flatten(&format!("{path}.{name}"), value, fields);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (at, value) in list.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, fields);
            }
        }
        Value::String(text) => {
            fields.insert(path.to_owned(), text.clone());
        }
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            let text = float.map_or_else(|| number.to_string(), |n| n.to_string());
            fields.insert(path.to_owned(), text);
        }
        other => {
            fields.insert(path.to_owned(), other.to_string());
        }
    }
}
