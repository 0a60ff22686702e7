//! A comparison for a person: verdict, what both hold, causes, differences by cause, examples.

use std::fmt::Write as _;

use arb::record::{Cause, CauseKind, Contents, Evidence, Parity, ParityDifference, Row};
use arb::{Money, Timestamp};

use crate::terminal::{Style, grouped, short};

/// What is shown beside the result.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) names: &'a [String; 2],
    pub(super) examples: usize,
}

/// Causes without effect that are listed at most.
const IDLE: usize = 12;

pub(super) fn text(result: &Parity, shown: &Shown<'_>, style: Style) -> String {
    let mut out = String::new();
    verdict(&mut out, result, style);
    contents(&mut out, result, shown, style);
    causes(&mut out, result, style);
    differences(&mut out, result, style);
    examples(&mut out, result, shown.examples, style);
    out
}

fn verdict(out: &mut String, result: &Parity, style: Style) {
    let upstream = result.causes.iter().any(|cause| !cause.inert);
    let total: u64 = result.rows.iter().map(|row| row.count).sum();
    let line = match (result.is_equal(), result.unexplained()) {
        (true, _) if result.identical => style.paint("1;32", "identical: byte for byte"),
        (true, _) if upstream => style.paint(
            "1;32",
            "equal: the same signals, trades and risk states, although something upstream differs",
        ),
        (true, _) => style.paint("1;32", "equal: the same signals, trades and risk states"),
        (false, 0) => {
            style.paint("1;33", format!("different: {} differences, all explained", grouped(total)))
        }
        (false, left) => style.paint(
            "1;31",
            format!("different: {} differences, {} unexplained", grouped(total), grouped(left)),
        ),
    };
    let _ = writeln!(out, "{line}\n");
}

fn contents(out: &mut String, result: &Parity, shown: &Shown<'_>, style: Style) {
    let [a, b] = &result.contents;
    for (letter, name, side) in
        shown.names.iter().zip([a, b]).zip(["A", "B"]).map(|((n, s), l)| (l, n, s))
    {
        let at = |at: Option<Timestamp>| at.map_or("-".to_owned(), short);
        let _ = writeln!(
            out,
            "{}  {name}   {} to {}   {} trades   engine {}",
            style.bold(letter),
            at(side.from),
            at(side.to),
            grouped(side.market_trades),
            side.engine_version,
        );
    }
    let header = format!("\n{:<16} {:>12} {:>12} {:>10} {:>10}", "", "A", "B", "matched", "equal");
    let _ = writeln!(out, "{}", style.bold(header));
    let mut count = |name: &str, of: fn(&Contents) -> u64, both: Option<(u64, u64)>| {
        let (matched, equal) =
            both.map_or((String::new(), String::new()), |(m, e)| (grouped(m), grouped(e)));
        let (a, b) = (grouped(of(a)), grouped(of(b)));
        let line = format!("{name:<16} {a:>12} {b:>12} {matched:>10} {equal:>10}");
        let _ = writeln!(out, "{}", line.trim_end());
    };
    count("signals", |c| c.signals, Some((result.signals_matched, result.signals_equal)));
    count("  fired", |c| c.fired, None);
    count("entries", |c| c.entries, Some((result.entries_matched, result.entries_equal)));
    count("closed trades", |c| c.closed, None);
    let mut sum = |name: &str, of: fn(&Contents) -> Money| {
        let money = |side: &Contents| format!("{:.2}", of(side));
        let _ = writeln!(out, "{name:<16} {:>12} {:>12}", money(a), money(b));
    };
    sum("net result", |c| c.net);
    sum("fees", |c| c.fees);
    sum("funding paid", |c| c.funding);
}

/// Causes by the time from which they act, numbered as the differences name them.
fn causes(out: &mut String, result: &Parity, style: Style) {
    let mut effective: Vec<(usize, &Cause)> =
        result.causes.iter().enumerate().filter(|(_, cause)| cause.effects > 0).collect();
    effective.sort_by_key(|(_, cause)| (cause.from, std::cmp::Reverse(cause.effects)));
    if !effective.is_empty() {
        let header = format!(
            "\n{:>3}  {:<44} {:<19} {:>8}  {}",
            "", "cause", "from", "explains", "what differs"
        );
        let _ = writeln!(out, "{}", style.bold(header));
    }
    for (index, cause) in effective {
        let _ = writeln!(
            out,
            "{:>3}  {} {:<19} {:>8}  {}",
            index + 1,
            style.bold(format!("{:<44}", cause.kind.to_string())),
            since(cause.from),
            grouped(cause.effects),
            what(cause),
        );
    }
    let idle: Vec<&Cause> = result.causes.iter().filter(|cause| cause.effects == 0).collect();
    if idle.is_empty() {
        return;
    }
    let _ = writeln!(out, "\ndiffers without an effect:");
    for cause in idle.iter().take(IDLE) {
        let _ = writeln!(
            out,
            "     {:<44} {:<19}  {}",
            cause.kind.to_string(),
            since(cause.from),
            what(cause)
        );
    }
    if idle.len() > IDLE {
        let _ = writeln!(out, "     … and {} more (--json FILE has them all)", idle.len() - IDLE);
    }
}

fn since(at: Timestamp) -> String {
    if at == Timestamp::EPOCH { "the start".to_owned() } else { short(at) }
}

/// Counts and the first place; of a field its two values.
fn what(cause: &Cause) -> String {
    let first = cause.samples.first();
    let values = |a: &Option<String>, b: &Option<String>| {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        format!("{} → {}", show(a), show(b))
    };
    if let (CauseKind::Configuration { .. } | CauseKind::EngineVersion, Some(first)) =
        (&cause.kind, first)
    {
        return values(&first.a, &first.b);
    }
    let counts = [
        (cause.missing, "missing"),
        (cause.extra, "extra"),
        (cause.different, "different"),
        (cause.shifted, "at another time"),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", grouped(count)))
        .collect();
    let first = first.map_or(String::new(), |first| {
        format!("; first {}: {}", first.what, values(&first.a, &first.b))
    });
    format!("{}{first}", counts.join(", "))
}

fn because(result: &Parity, cause: Option<usize>) -> String {
    match cause.and_then(|index| Some((index, result.causes.get(index)?))) {
        Some((index, cause)) => format!("{}  {}", index + 1, cause.kind),
        None => "unexplained".to_owned(),
    }
}

fn differences(out: &mut String, result: &Parity, style: Style) {
    if result.rows.is_empty() {
        return;
    }
    let header = format!("\n{:<18} {:>9}  {}", "difference", "count", "because of");
    let _ = writeln!(out, "{}", style.bold(header));
    let mut last = None;
    for row in &result.rows {
        let name = if last == Some(row.kind) { "" } else { row.kind.as_str() };
        last = Some(row.kind);
        let because = because(result, row.cause);
        let because = if row.cause.is_none() { style.paint("31", because) } else { because };
        let _ = writeln!(out, "{name:<18} {:>9}  {because}", grouped(row.count));
    }
}

fn examples(out: &mut String, result: &Parity, most: usize, style: Style) {
    if most == 0 || result.rows.is_empty() {
        return;
    }
    for row in &result.rows {
        let _ = writeln!(
            out,
            "\n{} because of {}",
            style.bold(row.kind.as_str()),
            because(result, row.cause)
        );
        for example in row.examples.iter().take(most) {
            example_text(out, example);
        }
        rest(out, row, most);
    }
    let _ = writeln!(
        out,
        "\n[follows]: from an earlier difference of the same cause. [earliest]: nothing points to \
         it but that it came first."
    );
}

fn rest(out: &mut String, row: &Row, most: usize) {
    let shown = u64::try_from(row.examples.len().min(most)).unwrap_or(u64::MAX);
    if row.count > shown {
        let _ = writeln!(out, "  … and {} more", grouped(row.count - shown));
    }
}

/// Longer values stand below each other.
const SIDE_BY_SIDE: usize = 44;

fn example_text(out: &mut String, example: &ParityDifference) {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    let (a, b) = (or_none(&example.a), or_none(&example.b));
    let by = example.by.as_ref().map_or(String::new(), |by| format!("   ({by})"));
    let how = match example.evidence {
        Evidence::Follows => "   [follows]",
        Evidence::Earliest => "   [earliest]",
        Evidence::Direct | Evidence::None => "",
    };
    let symbol = example.symbol.as_deref().unwrap_or("account");
    let head = format!("  {}  {symbol:<10}", short(example.at));
    let longest = a.chars().count().max(b.chars().count());
    let _ = if longest <= SIDE_BY_SIDE {
        writeln!(out, "{head} A {a}   B {b}{by}{how}")
    } else {
        writeln!(out, "{}\n      A {a}\n      B {b}", format!("{head}{by}{how}").trim_end())
    };
}
