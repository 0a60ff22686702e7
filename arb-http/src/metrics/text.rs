//! The Prometheus text format, version 0.0.4.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>. Invariant: label values
//! are escaped, and a family's head is written once, before its samples.

use std::fmt::{Display, Write as _};

use arb_core::port::{Measure, MeasureKind, MeasureValue};

/// A page of figures under way.
#[derive(Debug, Default)]
pub(crate) struct Text {
    text: String,
    family: String,
}

type Labels<'a> = [(&'a str, &'a str)];

impl Text {
    /// Begins a family; the same name again goes on with it.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        if self.family != name {
            name.clone_into(&mut self.family);
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
    }

    /// A sample of the family, its name with a suffix.
    pub(crate) fn sample(&mut self, suffix: &str, labels: &Labels<'_>, value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.family);
        for (at, (name, given)) in labels.iter().enumerate() {
            let given = given.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{name}=\"{given}\"", if at == 0 { '{' } else { ',' });
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// A histogram of the family from counts at or below each bound, those above all of them last.
    pub(crate) fn histogram(
        &mut self,
        labels: &Labels<'_>,
        (bounds, counts): (&[f64], &[u64]),
        sum: f64,
    ) {
        let names = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut total = 0;
        for (name, count) in names.zip(counts) {
            total += count;
            let mut all = labels.to_vec();
            all.push(("le", &name));
            self.sample("_bucket", &all, total);
        }
        self.sample("_sum", labels, sum);
        self.sample("_count", labels, total);
    }

    /// A measure of the engine.
    pub(crate) fn measure(&mut self, measure: &Measure) {
        let kind = match measure.kind {
            MeasureKind::Counter => "counter",
            MeasureKind::Gauge => "gauge",
            MeasureKind::Histogram => "histogram",
        };
        self.family(measure.name, kind, measure.help);
        let label = measure.label.as_ref().map(|(name, value)| (*name, value.as_str()));
        let labels: Vec<_> = label.into_iter().collect();
        match &measure.value {
            MeasureValue::Number(value) => self.sample("", &labels, value),
            MeasureValue::Buckets { bounds, counts, sum } => {
                self.histogram(&labels, (bounds, counts), *sum);
            }
        }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut text = Text::default();
        text.family("a", "gauge", "Two\nlines.");
        text.sample("", &[("of", "x\"} 1\nb 2\\")], 3);
        let told = "# HELP a Two\\nlines.\n# TYPE a gauge\na{of=\"x\\\"} 1\\nb 2\\\\\"} 3\n";
        assert_eq!(text.finish(), told);
    }

    #[test]
    fn buckets_are_cumulated() {
        let measure = Measure {
            name: "a_seconds",
            help: "Times.",
            kind: MeasureKind::Histogram,
            label: None,
            value: MeasureValue::Buckets {
                bounds: vec![0.5, 1.0],
                counts: vec![3, 2, 1],
                sum: 4.5,
            },
        };
        let mut text = Text::default();
        text.measure(&measure);
        let told = text.finish();
        let samples: Vec<&str> = told.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "a_seconds_bucket{le=\"0.5\"} 3",
                "a_seconds_bucket{le=\"1\"} 5",
                "a_seconds_bucket{le=\"+Inf\"} 6",
                "a_seconds_sum 4.5",
                "a_seconds_count 6",
            ]
        );
    }
}
