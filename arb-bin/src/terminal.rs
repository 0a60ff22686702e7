//! What the commands share when they talk to a person.
//!
//! Invariant: colours only on a terminal, and never against `NO_COLOR`.

use std::io::IsTerminal;

use arb::Timestamp;

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        Self { colour: stream.is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// Text in the colour of an ANSI code.
    pub(crate) fn paint(self, code: &str, text: impl std::fmt::Display) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Bold text.
    pub(crate) fn bold(self, text: impl std::fmt::Display) -> String {
        self.paint("1", text)
    }

    /// Green for a gain, red for a loss.
    pub(crate) fn signed(self, value: f64, text: impl std::fmt::Display) -> String {
        let code = if value < 0.0 { "31" } else { "32" };
        self.paint(code, text)
    }
}

/// Civil time to the second.
pub(crate) fn short(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |civil| civil.replace('T', " "))
}

/// A count with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
