//! HTML reports: one self-contained file each, readable offline.
//!
//! Invariant: a report is a pure function of the run's result, so the same run writes the same
//! bytes. The charting library is plotly.js, shipped inside the plotly crate; its licence stands
//! at the head of the script.

mod script;

pub use self::script::plotly_js;
