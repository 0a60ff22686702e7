//! What goes wrong, and when.
//!
//! Invariant: a plan is a function of its seed, its faults and virtual time: the same run meets the
//! same faults at the same moments. Chances are drawn from the seed and a count of what they were
//! drawn for.

use serde::{Deserialize, Serialize};

use super::super::market::{bits, mix};

/// A plan as written in a file.
///
/// ```
/// use arb_binance::sim::FaultPlan;
/// let plan = FaultPlan::parse(r#"{"seed": 7, "faults": [
///     {"kind": "drop", "stream": "btcusdt@aggTrade", "at_ms": 10000, "for_ms": 2000, "percent": 20},
///     {"kind": "cut", "at_ms": 60000, "every_ms": 60000},
///     {"kind": "status", "status": 503, "path": "/fapi/v1/aggTrades", "for_ms": 5000}
/// ], "storm": {"every_ms": 4000}}"#)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// From which chances are drawn.
    #[serde(default)]
    pub seed: u64,
    /// Faults at given times.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Faults drawn from the seed, one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// When it begins, milliseconds of virtual time after the epoch; at once where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// How long it lasts. Cuts happen at its begin.
    #[serde(default)]
    pub for_ms: i64,
    /// After which time it comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<i64>,
    /// Its chance for each frame or request, 100 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Only streams whose name contains this; connections that have such a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Only requests whose path begins with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How long a delay is, or how old a book, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<i64>,
    /// Which status is answered: 403, 418, 429, 451 or 503.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The message that is answered with the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Frames are lost.
    Drop,
    /// Frames, or with a `path` answers, come later.
    Delay,
    /// Frames come twice.
    Duplicate,
    /// A frame comes after the next one of its connection.
    Reorder,
    /// Connections end without a word.
    Cut,
    /// Connections stay open and nothing comes or is heard any more.
    HalfOpen,
    /// Connections live, with pings and answers, but streams say nothing.
    Silent,
    /// Requests are answered with a status. With the `path` of a stream handshakes are too: limits
    /// of requests do not concern connections, a firewall does.
    Status,
    /// Depth snapshots are old.
    StaleDepth,
    /// The venue is away: all connections end, none is accepted, requests are 503.
    Restart,
}

/// Faults of random kinds at random times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// One fault begins in each period of this length.
    pub every_ms: i64,
    /// Kinds to draw from; all where none is named.
    #[serde(default)]
    pub kinds: Vec<FaultKind>,
    /// Statuses to draw from; all where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
}

const ALL: [FaultKind; 10] = [
    FaultKind::Drop,
    FaultKind::Delay,
    FaultKind::Duplicate,
    FaultKind::Reorder,
    FaultKind::Cut,
    FaultKind::HalfOpen,
    FaultKind::Silent,
    FaultKind::Status,
    FaultKind::StaleDepth,
    FaultKind::Restart,
];
const STATUSES: [u16; 5] = [429, 503, 418, 403, 451];

impl FaultPlan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A fault of any of these kinds, all where none is named, in each period.
    #[must_use]
    pub fn storm(seed: u64, every_ms: i64, kinds: Vec<FaultKind>) -> Self {
        let statuses = Vec::new();
        Self { seed, faults: Vec::new(), storm: Some(Storm { every_ms, kinds, statuses }) }
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// Where it is no such JSON; the message names the line.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let plan: Self = serde_json::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Refuses what has no meaning.
    pub(crate) fn check(&self) -> Result<(), serde_json::Error> {
        self.faults.iter().try_for_each(Fault::check)?;
        let wrong = |text: &str| Err(serde::de::Error::custom(format!("storm: {text}")));
        let Some(storm) = &self.storm else { return Ok(()) };
        if storm.every_ms < 1 {
            return wrong("every_ms is at least 1");
        }
        if storm.statuses.iter().any(|status| !STATUSES.contains(status)) {
            return wrong("statuses are 403, 418, 429, 451 and 503");
        }
        Ok(())
    }

    /// The storm's fault of a period.
    fn drawn(&self, storm: &Storm, number: i64) -> Fault {
        let hash = mix(self.seed, number);
        let kinds = if storm.kinds.is_empty() { &ALL[..] } else { &storm.kinds };
        let pick = |hash: u64, from: u32, count: usize| {
            usize::try_from(bits(hash, from, 16)).unwrap_or_default() % count.max(1)
        };
        let kind = kinds.get(pick(hash, 0, kinds.len())).copied().unwrap_or(FaultKind::Drop);
        let statuses = if storm.statuses.is_empty() { &STATUSES[..] } else { &storm.statuses };
        let status = statuses.get(pick(hash, 16, statuses.len())).copied();
        let longest = storm.every_ms.min(3_000);
        Fault {
            kind,
            at_ms: Some(number * storm.every_ms + bits(hash, 32, 30) % storm.every_ms),
            for_ms: 100 + bits(mix(hash, 1), 0, 30) % longest,
            every_ms: None,
            percent: Some(u8::try_from(30 + bits(hash, 48, 6)).unwrap_or(100)),
            stream: None,
            path: None,
            ms: Some(50 + bits(mix(hash, 2), 0, 30) % 2_000),
            status: status.filter(|_| kind == FaultKind::Status),
            message: None,
        }
    }
}

impl Fault {
    /// Refuses what has no meaning.
    pub(crate) fn check(&self) -> Result<(), serde_json::Error> {
        let wrong = |text: &str| Err(serde::de::Error::custom(format!("{:?}: {text}", self.kind)));
        if self.kind == FaultKind::Status
            && !self.status.is_some_and(|status| STATUSES.contains(&status))
        {
            return wrong("status is 403, 418, 429, 451 or 503");
        }
        if self.every_ms.is_some_and(|every| every < 1) || self.for_ms < 0 {
            return wrong("every_ms is at least 1 and for_ms is not negative");
        }
        if self.percent.is_some_and(|percent| percent > 100) {
            return wrong("percent is at most 100");
        }
        Ok(())
    }

    /// The begin of the occurrence that holds a time after the epoch.
    fn begun(&self, after: i64) -> Option<i64> {
        let since = after - self.at_ms.unwrap_or_default();
        if since < 0 {
            return None;
        }
        let passed = self.every_ms.map_or(since, |every| since.rem_euclid(every));
        (passed < self.for_ms.max(1)).then_some(after - passed)
    }

    /// The last begin up to a time after the epoch.
    fn last_begin(&self, after: i64) -> Option<i64> {
        let at = self.at_ms.unwrap_or_default();
        if after < at {
            return None;
        }
        Some(self.every_ms.map_or(at, |every| after - (after - at).rem_euclid(every)))
    }

    pub(crate) fn hits_stream(&self, name: &str) -> bool {
        self.stream.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    pub(crate) fn hits_path(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|start| path.starts_with(start.as_str()))
    }
}

/// A plan as it is carried out.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    plan: FaultPlan,
    epoch: i64,
    /// Storm periods drawn so far.
    drawn: i64,
    /// The storm's faults that are not over.
    from_storm: Vec<Fault>,
    /// The time up to which begins were told.
    told: i64,
    active: Vec<Fault>,
    chances: i64,
}

impl Faults {
    pub(crate) const fn new(plan: FaultPlan, epoch: i64) -> Self {
        Self {
            plan,
            epoch,
            drawn: 0,
            from_storm: Vec::new(),
            told: -1,
            active: Vec::new(),
            chances: 0,
        }
    }

    pub(crate) const fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Adds a fault that begins now unless it says when.
    pub(crate) fn add(&mut self, mut fault: Fault, now: i64) {
        fault.at_ms = Some(fault.at_ms.unwrap_or(now - self.epoch));
        self.told = self.told.min(now - self.epoch - 1);
        self.plan.faults.push(fault);
    }

    /// Adds the faults of a plan; its storm takes the place of the present one and begins now.
    pub(crate) fn add_plan(&mut self, plan: FaultPlan, now: i64) {
        for fault in plan.faults {
            self.add(fault, now);
        }
        if let Some(storm) = plan.storm {
            self.plan.seed = plan.seed;
            self.drawn = (now - self.epoch).div_euclid(storm.every_ms) + 1;
            self.plan.storm = Some(storm);
        }
    }

    /// Ends all faults.
    pub(crate) fn clear(&mut self) {
        self.plan.faults.clear();
        self.plan.storm = None;
        self.from_storm.clear();
        self.active.clear();
    }

    fn is_idle(&self) -> bool {
        self.plan.faults.is_empty() && self.plan.storm.is_none() && self.from_storm.is_empty()
    }

    /// Goes on to a time and gives the faults that began since the last call.
    pub(crate) fn advance(&mut self, now: i64) -> Vec<Fault> {
        let after = now - self.epoch;
        if self.is_idle() || after < 0 {
            self.active.clear();
            self.told = self.told.max(after);
            return Vec::new();
        }
        self.draw(after);
        let told = self.told;
        let all = || self.plan.faults.iter().chain(&self.from_storm);
        self.active = all().filter(|fault| fault.begun(after).is_some()).cloned().collect();
        let began = all().filter(|fault| fault.last_begin(after).is_some_and(|at| at > told));
        let began = began.cloned().collect();
        self.told = self.told.max(after);
        self.from_storm.retain(|fault| fault.at_ms.unwrap_or_default() + fault.for_ms > after);
        began
    }

    fn draw(&mut self, after: i64) {
        let Some(storm) = self.plan.storm.clone() else { return };
        let current = after.div_euclid(storm.every_ms);
        // Faults of periods nobody looked at are over.
        self.drawn = self.drawn.max(current - 1);
        while self.drawn <= current {
            self.from_storm.push(self.plan.drawn(&storm, self.drawn));
            self.drawn += 1;
        }
    }

    /// The faults that last at the moment.
    pub(crate) fn active(&self) -> &[Fault] {
        &self.active
    }

    /// Whether a fault strikes this time.
    pub(crate) fn strikes(&mut self, percent: Option<u8>) -> bool {
        let percent = i64::from(percent.unwrap_or(100));
        self.chances += 1;
        bits(mix(self.plan.seed ^ 0x5EED, self.chances), 0, 32) % 100 < percent
    }

    /// The first active fault of a kind that hits a path and strikes.
    pub(crate) fn on_path(&mut self, kind: FaultKind, path: &str) -> Option<Fault> {
        let hit = |fault: &&Fault| fault.kind == kind && fault.hits_path(path);
        let fault = self.active.iter().find(hit)?.clone();
        self.strikes(fault.percent).then_some(fault)
    }

    /// Whether the venue is away.
    pub(crate) fn is_away(&self) -> bool {
        self.active.iter().any(|fault| fault.kind == FaultKind::Restart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_fault_lasts_its_time_and_comes_again() {
        let plan = FaultPlan {
            faults: vec![fault(r#"{"kind":"drop","at_ms":100,"for_ms":20,"every_ms":50}"#)],
            ..FaultPlan::none()
        };
        let mut faults = Faults::new(plan, 1_000);
        let mut active = Vec::new();
        let mut began = 0;
        for now in 1_000..1_260 {
            began += faults.advance(now).len();
            active.push(!faults.active().is_empty());
        }
        let expected: Vec<bool> =
            (0..260).map(|after| after >= 100 && (after - 100) % 50 < 20).collect();
        assert_eq!((active, began), (expected, 4));
    }

    #[test]
    fn a_storm_is_the_same_whenever_one_looks() {
        let seen = |step: usize| {
            let mut faults = Faults::new(FaultPlan::storm(3, 500, Vec::new()), 0);
            let mut seen = Vec::new();
            for now in (0..100_000).step_by(step) {
                seen.extend(faults.advance(now));
            }
            seen
        };
        let (mut often, seldom) = (seen(10), seen(250));
        // The last look of the second was then.
        often.retain(|fault| fault.at_ms.unwrap() <= 99_750);
        assert!(often.len() > 190, "{}", often.len());
        assert_eq!(often, seldom);
        assert!(ALL.iter().all(|kind| often.iter().any(|fault| fault.kind == *kind)));
    }

    #[test]
    fn a_storm_draws_every_status_or_those_that_are_named() {
        let drawn = |storm: &str| {
            let plan = FaultPlan::parse(&format!(r#"{{"seed": 5, "storm": {storm}}}"#)).unwrap();
            let mut faults = Faults::new(plan, 0);
            let mut drawn = std::collections::BTreeSet::new();
            for now in (0..100_000).step_by(100) {
                drawn.extend(faults.advance(now).into_iter().filter_map(|fault| fault.status));
            }
            Vec::from_iter(drawn)
        };
        let all = r#"{"every_ms": 500, "kinds": ["status"]}"#;
        assert_eq!(drawn(all), [403, 418, 429, 451, 503]);
        let some = r#"{"every_ms": 500, "kinds": ["status"], "statuses": [503, 429]}"#;
        assert_eq!(drawn(some), [429, 503]);
    }

    #[test]
    fn a_storm_may_begin_while_the_venue_runs_and_end_again() {
        let mut faults = Faults::new(FaultPlan::none(), 0);
        assert!(faults.advance(60_000).is_empty());
        faults.add_plan(FaultPlan::storm(3, 500, vec![FaultKind::Drop]), 60_000);
        let began = (60_000..70_000).map(|now| faults.advance(now).len()).sum::<usize>();
        assert!((18..=20).contains(&began), "one in each period: {began}");
        faults.clear();
        assert_eq!((70_000..80_000).map(|now| faults.advance(now).len()).sum::<usize>(), 0);
    }

    #[test]
    fn a_plan_that_means_nothing_is_refused() {
        for text in [
            r#"{"faults":[{"kind":"status"}]}"#,
            r#"{"faults":[{"kind":"drop","percent":101}]}"#,
            r#"{"faults":[{"kind":"melt"}]}"#,
            r#"{"faults":[{"kind":"cut","every_ms":0}]}"#,
            r#"{"storm":{"every_ms":0}}"#,
            r#"{"storm":{"every_ms":9,"statuses":[500]}}"#,
            r#"{"fault":[]}"#,
        ] {
            assert!(FaultPlan::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_added_now_begins_now() {
        let mut faults = Faults::new(FaultPlan::none(), 0);
        assert!(faults.advance(5_000).is_empty());
        faults.add(fault(r#"{"kind":"cut"}"#), 5_000);
        assert_eq!(faults.advance(5_000).len(), 1);
        assert!(faults.advance(5_001).is_empty());
        faults.clear();
        assert!(faults.advance(5_002).is_empty() && faults.active().is_empty());
    }
}
