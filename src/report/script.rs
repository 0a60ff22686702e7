//! The charting library's text.

use std::sync::LazyLock;

/// Plotly.js, minified, with its licence at the head.
///
/// The crate offers it only as script tags together with a second library for formulas, which
/// nothing here shows.
#[must_use]
pub fn plotly_js() -> &'static str {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| {
        let tags = plotly::Plot::offline_js_sources();
        let script = tags.split_once('>').map_or("", |(_, rest)| rest);
        script.split_once("</script>").map_or("", |(script, _)| script).to_owned()
    });
    &SCRIPT
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_script_is_whole_and_carries_its_licence() {
        let script = super::plotly_js();
        assert!(script.len() > 3_000_000, "{}", script.len());
        assert!(script[..200].contains("plotly.js"));
        assert!(script[..400].contains("MIT"));
        assert!(!script.contains("</script"));
    }
}
