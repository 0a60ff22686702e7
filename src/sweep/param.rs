//! One parameter: where it stands in a strategy's JSON, and the values to try.
//!
//! Invariant: the values are a finite list that follows from the text alone, computed in decimal
//! arithmetic, so `0.1..0.5/0.1` has five values and the third is 0.3.

use std::fmt;
use std::str::FromStr;

use arb_core::Decimal;
use serde_json::Value;

/// A range without a step is cut into so many parts for random draws.
const PARTS: u32 = 1_000;
/// Values of one parameter at most.
const MAX_VALUES: u64 = 1_000_000;

/// A place in a JSON text: `exits.stop_atr`, `symbols[0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for JsonPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            format!("{text:?} is no path; fields with dots and [n] for lists are: exits.stop_atr")
        };
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, indexes) = part.split_once('[').map_or((part, None), |(n, i)| (n, Some(i)));
            if name.is_empty() {
                return Err(malformed());
            }
            steps.push(Step::Field(name.to_owned()));
            let Some(indexes) = indexes else { continue };
            let inner = indexes.strip_suffix(']').ok_or_else(malformed)?;
            for index in inner.split("][") {
                steps.push(Step::Index(index.parse().map_err(|_| malformed())?));
            }
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl JsonPath {
    /// The place inside `json`.
    ///
    /// # Errors
    /// A message that names the first part that does not exist and what stands there instead.
    pub fn find<'a>(&self, json: &'a mut Value) -> Result<&'a mut Value, String> {
        let mut place = json;
        for (at, step) in self.steps.iter().enumerate() {
            let known = known_below(place);
            let next = match step {
                Step::Field(name) => place.as_object_mut().and_then(|map| map.get_mut(name)),
                Step::Index(index) => place.as_array_mut().and_then(|list| list.get_mut(*index)),
            };
            place = next.ok_or_else(|| self.missing(at, &known))?;
        }
        Ok(place)
    }

    fn missing(&self, at: usize, known: &str) -> String {
        let name = match self.steps.get(at) {
            Some(Step::Field(name)) => format!("{name:?}"),
            Some(Step::Index(index)) => format!("[{index}]"),
            None => String::new(),
        };
        format!("{}: the strategy has no {name} there; {known}", self.text)
    }
}

fn known_below(place: &Value) -> String {
    match place {
        Value::Object(map) if map.is_empty() => "the object is empty".to_owned(),
        Value::Object(map) => {
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
            format!("it has {}", names.join(", "))
        }
        Value::Array(list) => format!("the list has {} values", list.len()),
        value => format!("it ends before that, with {value}"),
    }
}

/// A parameter and the values to try: `PATH=from..to/step`, `PATH=[a,b,c]`, or `PATH=from..to`
/// for random draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Where the values go.
    pub path: JsonPath,
    text: String,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    List(Vec<Value>),
    Range { from: Decimal, step: Decimal, count: u64, drawn_only: bool },
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Param {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((path, values)) = text.split_once('=') else {
            return Err(format!("{text:?} has no `=`; PATH=1..3/0.5, PATH=[1,2] or PATH=1..3 is"));
        };
        let values =
            if values.trim_start().starts_with('[') { list(values) } else { range(values) };
        let values = values.map_err(|message| format!("{path}: {message}"))?;
        Ok(Self { path: path.trim().parse()?, text: text.to_owned(), values })
    }
}

fn list(text: &str) -> Result<Values, String> {
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|e| format!("{text} is no JSON list: {e}; [1, 2.5, null] is"))?;
    if values.is_empty() { Err("the list is empty".to_owned()) } else { Ok(Values::List(values)) }
}

fn range(text: &str) -> Result<Values, String> {
    let number = |text: &str| {
        Decimal::from_str_exact(text.trim()).map_err(|_| format!("{:?} is no number", text.trim()))
    };
    let Some((from, rest)) = text.split_once("..") else {
        return Err(format!("{text:?} is no range; 1..3/0.5, [1,2] or 1..3 is"));
    };
    let (to, step) = rest.split_once('/').map_or((rest, None), |(to, step)| (to, Some(step)));
    // Two whole ends ask for whole draws: a field that counts takes nothing else.
    let whole = !from.contains('.') && !to.contains('.');
    let (from, to) = (number(from)?, number(to)?);
    if from >= to {
        return Err(format!("{from} is not below {to}"));
    }
    let (step, drawn_only) = match step {
        Some(step) => (number(step)?, false),
        None if whole => (Decimal::ONE, true),
        None => ((to - from) / Decimal::from(PARTS), true),
    };
    if step <= Decimal::ZERO {
        return Err(format!("the step {step} is not above 0"));
    }
    let steps = ((to - from) / step).floor();
    let count = u64::try_from(steps).ok().and_then(|steps| steps.checked_add(1));
    match count.filter(|count| *count <= MAX_VALUES) {
        Some(count) => Ok(Values::Range { from, step, count, drawn_only }),
        None => Err(format!("has more than {MAX_VALUES} values; a larger step is needed")),
    }
}

impl Param {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.values {
            Values::List(values) => values.len() as u64,
            Values::Range { count, .. } => *count,
        }
    }

    /// Whether only a random search may use it, because its range has no step.
    #[must_use]
    pub const fn is_drawn_only(&self) -> bool {
        matches!(self.values, Values::Range { drawn_only: true, .. })
    }

    /// The value number `index`; null behind the last.
    #[must_use]
    pub fn value(&self, index: u64) -> Value {
        match &self.values {
            Values::List(values) => {
                let value = usize::try_from(index).ok().and_then(|index| values.get(index));
                value.cloned().unwrap_or(Value::Null)
            }
            Values::Range { from, step, .. } => {
                let value = *from + *step * Decimal::from(index);
                serde_json::from_str(&value.normalize().to_string()).unwrap_or(Value::Null)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let param: Param = text.parse().unwrap();
        (0..param.count()).map(|index| param.value(index).to_string()).collect()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Param>().unwrap_err()
    }

    #[test]
    fn a_stepped_range_has_exact_values_and_includes_its_end() {
        assert_eq!(values("a.b=0.1..0.5/0.1"), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(values("a=70..76/2.5"), ["70", "72.5", "75"]);
        assert_eq!(values("a=-2..2/2"), ["-2", "0", "2"]);
    }

    #[test]
    fn a_list_may_hold_any_json() {
        assert_eq!(values("a=[null, 20, \"all\", [1]]"), ["null", "20", "\"all\"", "[1]"]);
    }

    #[test]
    fn a_range_without_a_step_is_for_draws_and_whole_between_whole_ends() {
        let whole: Param = "a=5..15".parse().unwrap();
        assert!(whole.is_drawn_only());
        assert_eq!((whole.count(), whole.value(10)), (11, Value::from(15)));
        let fine: Param = "a=1.0..3.0".parse().unwrap();
        assert_eq!((fine.count(), fine.value(1).to_string()), (1_001, "1.002".to_owned()));
    }

    #[test]
    fn nonsense_is_refused_with_the_path_and_what_would_be_right() {
        assert_eq!(
            refusal("exits"),
            "\"exits\" has no `=`; PATH=1..3/0.5, PATH=[1,2] or PATH=1..3 is"
        );
        assert_eq!(refusal("a=3"), "a: \"3\" is no range; 1..3/0.5, [1,2] or 1..3 is");
        assert_eq!(refusal("a=3..1/1"), "a: 3 is not below 1");
        assert_eq!(refusal("a=1..3/0"), "a: the step 0 is not above 0");
        assert_eq!(refusal("a=x..3/1"), "a: \"x\" is no number");
        assert_eq!(refusal("a=[]"), "a: the list is empty");
        assert!(refusal("a=[1,").starts_with("a: [1, is no JSON list"));
        assert!(refusal("a=0..1/0.0000001").contains("more than 1000000 values"));
        assert!(refusal("a..b=[1]").contains("is no path"));
        assert!(refusal("a[x]=[1]").contains("is no path"));
    }

    #[test]
    fn a_path_finds_fields_and_list_entries_or_names_what_is_there() {
        let mut json: Value = serde_json::from_str(r#"{"a": {"b": [1, [2, 3]], "c": 4}}"#).unwrap();
        let find = |path: &str, json: &mut Value| -> Result<Value, String> {
            path.parse::<JsonPath>().unwrap().find(json).cloned()
        };
        assert_eq!(find("a.b[1][0]", &mut json), Ok(Value::from(2)));
        assert_eq!(
            find("a.d", &mut json),
            Err("a.d: the strategy has no \"d\" there; it has b, c".to_owned())
        );
        assert!(find("a.b[2]", &mut json).unwrap_err().ends_with("the list has 2 values"));
        assert!(find("a.c.d", &mut json).unwrap_err().ends_with("it ends before that, with 4"));
    }
}
