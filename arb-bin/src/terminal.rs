//! What the commands share when they talk to a person.
//!
//! Invariant: colours only on a terminal, and never against `NO_COLOR`.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use arb::Timestamp;
use arb::time::{DAY, HOUR, MINUTE, SECOND};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

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

/// A terminal that does not show what is typed, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hidden<'a, T: AsFd> {
    terminal: &'a T,
    before: Termios,
}

impl<'a, T: AsFd> Hidden<'a, T> {
    /// Hides from now on, and forgets what was typed before. To be made before the question is
    /// shown, so that no answer is faster.
    ///
    /// # Errors
    /// When it is no terminal.
    pub(crate) fn new(terminal: &'a T) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown: the next question begins a line.
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Hidden<'_, T> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
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

/// A count with its noun: `1 trade`, `2,000 trades`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = match (number, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(number))
}

/// A length of time to the minute, below a minute to the second, from three days on to the hour.
pub(crate) fn duration(nanos: i64) -> String {
    let to = |unit: i64| nanos.saturating_add(unit / 2) / unit;
    let (large, small, names) = match nanos {
        _ if to(SECOND) < 60 => return format!("{} s", to(SECOND)),
        _ if to(MINUTE) < 60 => return format!("{} min", to(MINUTE)),
        _ if to(HOUR) < 3 * DAY / HOUR => (to(MINUTE) / 60, to(MINUTE) % 60, ("h", "min")),
        _ => (to(HOUR) / 24, to(HOUR) % 24, ("d", "h")),
    };
    match small {
        0 => format!("{large} {}", names.0),
        _ => format!("{large} {} {small} {}", names.0, names.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_and_never_fall_to_zero_hours() {
        for (nanos, expected) in [
            (0, "0 s"),
            (59 * SECOND, "59 s"),
            (59 * MINUTE + 20 * SECOND, "59 min"),
            (59 * MINUTE + 58 * SECOND, "1 h"),
            (24 * HOUR - 5 * MINUTE, "23 h 55 min"),
            (30 * HOUR + 25 * MINUTE, "30 h 25 min"),
            (72 * HOUR - SECOND, "3 d"),
            (800 * DAY + 3 * HOUR, "800 d 3 h"),
        ] {
            assert_eq!(duration(nanos), expected);
        }
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(counted(1, "trade"), "1 trade");
        assert_eq!(counted(0, "entry"), "0 entries");
        assert_eq!(counted(1_234_567, "trade"), "1,234,567 trades");
    }
}
