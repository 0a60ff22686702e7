//! A sweep's report as one HTML file.
//!
//! Invariant: the page holds everything it needs and asks nobody; its bytes follow from the
//! report alone.

use askama::Template;

use super::SweepReport;
use crate::report::plotly_js;

/// Rows of the ranked table; the heat map and the JSON result have all variants.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "sweep.html")]
struct Page<'a> {
    report: &'a SweepReport,
    rows: usize,
    /// The report as JSON that cannot end its script element.
    data: String,
    plotly: &'a str,
}

/// The report as a page that works offline.
///
/// # Errors
/// The report has no JSON form, which no report of this crate lacks.
pub fn html(report: &SweepReport) -> Result<String, askama::Error> {
    let data = serde_json::to_string(report).map_err(askama::Error::custom)?;
    let data = data.replace('<', "\\u003c");
    Page { report, rows: ROWS, data, plotly: plotly_js() }.render()
}
