//! Outputs as text for hosts: the name of their variant, and their JSON with instruments by name.
//!
//! Invariant: running engines and stores tell outputs by this function alone, so that what a host
//! hears and what it reads back later agree to the byte.

use serde::ser::Error as _;
use serde_json::Value;

use crate::instrument::InstrumentId;
use crate::output::Output;

/// The variant of an output, such as `signal`, and its JSON with the names that `name` gives.
///
/// ```
/// use arb_core::port::told;
/// use arb_core::{InstrumentId, Output};
/// # fn main() -> Result<(), serde_json::Error> {
/// let output = Output::Quarantined { instrument: InstrumentId(0) };
/// let (kind, body) = told(&output, |_| "um:BTCUSDT".to_owned())?;
/// assert_eq!((kind.as_str(), body.as_str()), ("quarantined", r#"{"instrument":"um:BTCUSDT"}"#));
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the output cannot be written as JSON.
pub fn told(
    output: &Output,
    name: impl Fn(InstrumentId) -> String,
) -> Result<(String, String), serde_json::Error> {
    let mut value = serde_json::to_value(output)?;
    name_instruments(&mut value, &name);
    // Outputs are tagged from outside: an object of one entry, the variant.
    let tagged = value.as_object().and_then(|map| map.iter().next());
    let (kind, body) =
        tagged.ok_or_else(|| serde_json::Error::custom("the output has no variant"))?;
    Ok((kind.clone(), body.to_string()))
}

/// Replaces indices of this process by names, wherever outputs carry them.
fn name_instruments(value: &mut Value, name: &impl Fn(InstrumentId) -> String) {
    let Value::Object(map) = value else { return };
    for (key, inner) in map.iter_mut() {
        let id = inner.as_u64().and_then(|id| u16::try_from(id).ok()).map(InstrumentId);
        match (key.as_str(), id) {
            ("instrument" | "perp" | "spot", Some(id)) => *inner = Value::String(name(id)),
            _ => name_instruments(inner, name),
        }
    }
}
