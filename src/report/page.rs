//! What every report's page has in common: `templates/base.html` and what it needs.
//!
//! Invariant: nothing on a page is fetched, and nothing that came from outside can end a script:
//! data stand as JSON in which no character is left that HTML knows.

use std::io;

use serde::Serialize;

/// Shared by all pages; a template that extends `base.html` has it as its field `page`.
#[derive(Debug)]
pub(crate) struct Page {
    /// Of the document.
    pub(crate) title: String,
    /// JSON for the scripts.
    pub(crate) data: String,
    /// The page's own script, after the shared one.
    pub(crate) script: &'static str,
}

impl Page {
    /// Styles of all reports.
    pub(crate) const fn css(&self) -> &'static str {
        include_str!("../../templates/base.css")
    }

    /// Theme, charts and tables of all reports.
    pub(crate) const fn shared_script(&self) -> &'static str {
        include_str!("../../templates/base.js")
    }

    /// The charting library.
    pub(crate) fn plotly(&self) -> &'static str {
        super::plotly_js()
    }
}

/// JSON that can stand inside a script element.
///
/// `<`, `>` and `&` occur in JSON within strings only, so they can be written as escapes; so can
/// the two line separators that older readers take for the end of a line.
///
/// # Errors
/// When `value` has no JSON form.
pub(crate) fn script_json(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value)?;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_the_script_that_holds_it() {
        let hostile = "</script><!--<script>&\u{2028}\"\\";
        let json = script_json(&[hostile]).unwrap();
        assert!(!json.contains(['<', '>', '&', '\u{2028}']));
        let back: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [hostile]);
    }
}
