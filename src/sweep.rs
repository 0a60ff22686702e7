//! Parameter sweeps that do not lie: walk-forward folds, a hold-out that is touched once, and a
//! Sharpe ratio deflated by the number of tries.
//!
//! A [`Space`] gives the variants of a strategy, a [`Plan`] the spans; each (variant, span) is an
//! independent back-test over a shared [`Recording`]. What has run is kept in a [`State`].
//!
//! Invariant: the report is a function of recording, settings, variants and what the state counts
//! as tried. Neither the number of workers nor a kill and resume changes a byte of it, and it
//! holds no time of day.

mod error;
mod figures;
#[cfg(feature = "report")]
mod html;
mod param;
mod plan;
mod ranking;
mod recording;
mod report;
mod state;
mod trial;
mod variants;
mod workers;

use std::num::NonZeroUsize;

use arb_core::{ENGINE_VERSION, Registry, hash_of};
use serde_json::{Value, json};

use self::error::usage;
pub use self::error::{ReadError, SweepError};
pub use self::figures::{Figures, Metric};
#[cfg(feature = "report")]
pub use self::html::html;
pub use self::param::{JsonPath, Param};
pub use self::plan::{Fold, MIN_PURGE, Plan, PlanOptions, Span, told};
#[cfg(feature = "tapes")]
pub use self::recording::Streamed;
pub use self::recording::{Facts, InMemory, Piece, Reading, Recording};
pub use self::report::{FoldResult, HoldOut, Ranked, Shown, SweepReport, Verdict};
pub use self::state::State;
pub use self::trial::{Setup, WARM_UP, longest_life};
pub use self::variants::{Search, Space, Variant};

/// Version of the state file and the report.
const FORMAT: u32 = 1;

/// A sweep, ready to run.
#[derive(Clone, Copy)]
pub struct Sweep<'a> {
    /// The recorded market.
    pub recording: &'a dyn Recording,
    /// What it holds.
    pub facts: &'a Facts,
    /// What all variants share.
    pub setup: &'a Setup,
    /// The strategy and its parameters.
    pub space: &'a Space,
    /// The variants, distinct and accepted.
    pub variants: &'a [Variant],
    /// The spans.
    pub plan: &'a Plan,
    /// What the variants are ranked by.
    pub rank_by: Metric,
    /// The strategy kinds.
    pub registry: &'a Registry,
}

impl std::fmt::Debug for Sweep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweep").field("variants", &self.variants.len()).finish_non_exhaustive()
    }
}

/// What a touch of the hold-out may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Refuse when other parameters have touched it.
    Once,
    /// Touch it anyway; the report says how often.
    Again,
}

/// One back-test to do.
#[derive(Clone, Copy)]
struct Job<'a> {
    variant: &'a Variant,
    block: usize,
    span: Span,
}

impl Sweep<'_> {
    /// What every result depends on but the variant: data, settings and spans. A state file
    /// belongs to it.
    #[must_use]
    pub fn belongs_to(&self) -> Value {
        let Plan { period, blocks, hold_out, purge, embargo } = self.plan;
        json!({
            "format": FORMAT,
            "engine_version": ENGINE_VERSION,
            "data": self.facts.hash,
            "plan": {
                "period": period,
                "folds": blocks.len().saturating_sub(1),
                "blocks": blocks,
                "hold_out": hold_out,
                "purge": told(*purge),
                "embargo": told(*embargo),
            },
            "config": self.setup.config,
        })
    }

    /// Hash of [`Sweep::belongs_to`] and the base strategy.
    #[must_use]
    pub fn config_hash(&self) -> String {
        let whole = json!({ "sweep": self.belongs_to(), "base": self.space.base() });
        hash_of(whole.to_string().as_bytes())
    }

    /// Back-tests that have not run.
    #[must_use]
    pub fn left(&self, state: &State) -> usize {
        self.jobs(state).len()
    }

    fn jobs(&self, state: &State) -> Vec<Job<'_>> {
        let blocks = || self.plan.blocks.iter().enumerate();
        let jobs = self.variants.iter().flat_map(|variant| {
            blocks().map(move |(block, span)| Job { variant, block, span: *span })
        });
        jobs.filter(|job| state.result(&job.variant.key, job.block).is_none()).collect()
    }

    /// Runs what has not run, with so many workers; `progress` is told the number done so far.
    ///
    /// # Errors
    /// [`SweepError`] when a back-test or the state file fails. What had finished is kept.
    pub fn run(
        &self,
        workers: NonZeroUsize,
        state: &mut State,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), SweepError> {
        let jobs = self.jobs(state);
        let mut finished = 0;
        let work = |job: &Job<'_>| self.trial(job.variant, job.span);
        workers::run(&jobs, workers, work, |job, figures| {
            state.add_result(&job.variant.key, job.block, figures)?;
            finished += 1;
            progress(finished);
            Ok(())
        })?;
        state.sync()
    }

    fn trial(&self, variant: &Variant, span: Span) -> Result<Figures, SweepError> {
        trial::run(self.setup, self.registry, self.recording, variant, span)
    }

    /// Runs the best variant over the hold-out, once: the same variant is not run again, another
    /// one is refused unless told otherwise.
    ///
    /// # Errors
    /// [`SweepError::HoldOut`] when it was touched with other parameters, or there is none.
    pub fn touch_hold_out(&self, state: &mut State, touch: Touch) -> Result<(), SweepError> {
        let Some(span) = self.plan.hold_out else {
            return usage("there is no hold-out to touch; --hold-out 20% keeps one");
        };
        let Some(best) = ranking::best(self, state) else {
            let message = "no variant has traded, so there is none to judge on the hold-out";
            return Err(SweepError::HoldOut(message.to_owned()));
        };
        if state.touches().iter().any(|(key, _)| *key == best.key) {
            return Ok(());
        }
        let count = state.touches().len();
        if count > 0 && touch == Touch::Once {
            return Err(SweepError::HoldOut(format!(
                "the hold-out was touched {count} time(s) with other parameters; choosing again \
                 after having seen it makes it one more test span, and its result worthless as a \
                 last check. Keep the earlier choice, use newer data, or go on with \
                 --touch-hold-out-again, which the report will say"
            )));
        }
        let figures = self.trial(best, span)?;
        state.add_touch(&best.key, figures)
    }

    /// The report of what has run.
    ///
    /// # Errors
    /// [`SweepError::Usage`] when a back-test is missing.
    pub fn report(&self, state: &State) -> Result<SweepReport, SweepError> {
        match self.left(state) {
            0 => Ok(report::report(self, state)),
            left => usage(format!("{left} back-tests have not run yet")),
        }
    }
}
