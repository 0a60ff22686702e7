//! The same events give the same bytes.

use arb::record::{JournalWriter, replay};
use arb::{
    Backtest, Event, EventKind, Input, InputValue, InstrumentId, Observer, Output, Registry,
    Timestamp,
};
use proptest::prelude::*;

use crate::support::{events, random_tape, run, with_strategy};

fn journal(events: &[Event]) -> Vec<u8> {
    let mut writer = JournalWriter::new(Vec::new()).unwrap();
    run(with_strategy("v51_baseline"), events, &mut writer);
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn the_same_tape_twice_gives_the_same_journal_and_replays(seed in 1..u64::MAX) {
        let events = events(&random_tape(seed, 8_000, 3_000));
        let first = journal(&events);
        prop_assert_eq!(&first, &journal(&events));
        let replayed = replay(first.as_slice(), Registry::builtin()).unwrap();
        prop_assert_eq!(replayed.difference, None);
        prop_assert!(replayed.events > 8_000);
    }
}

/// Everything in order: events as they are, outputs as text.
#[derive(Default)]
struct Told(Vec<(Timestamp, String)>, Timestamp);

impl Observer for Told {
    fn event(&mut self, event: &Event) {
        self.1 = event.at;
        self.0.push((event.at, format!("{:?}", event.kind)));
    }

    fn output(&mut self, output: &Output) {
        self.0.push((self.1, format!("{output:?}")));
    }
}

fn told(events: &[Event]) -> Vec<(Timestamp, String)> {
    let mut told = Told::default();
    let mut config = with_strategy("v52_8signals");
    config.record = arb::Record::All;
    let registry = Registry::builtin();
    let mut test = Backtest::new(config, registry, &mut told).unwrap();
    events.iter().for_each(|event| test.on_event(event.clone(), &mut told));
    told.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_prefix_of_a_tape_gives_a_prefix_of_the_outputs(
        seed in 1..u64::MAX, cut in 1..3_000_usize, hole in 500..2_500_usize,
    ) {
        let mut trades = random_tape(seed, 3_000, 8_000);
        trades.drain(hole..hole + 20);
        let all = told(&events(&trades));
        // Without the final tick and without the gap that only the following trade announces.
        let prefix = told(&events(&trades[..cut.min(trades.len())]));
        prop_assert_eq!(&prefix[..], &all[..prefix.len()]);
    }

    #[test]
    fn changing_an_input_changes_nothing_before_it_is_known(
        seed in 1..u64::MAX, at in 0..2_900_usize, ratio in 0.1..5.0_f64,
    ) {
        let trades = random_tape(seed, 3_000, 8_000);
        let known_at = trades[at].ts;
        let with = |ratio: f64| {
            let mut tape = events(&trades);
            let value = InputValue::LongShortRatio(ratio);
            let as_of = known_at.plus(-330_000_000_000);
            let input = Input { instrument: InstrumentId(0), as_of, value };
            let place = tape.partition_point(|event| event.at < known_at);
            tape.insert(place, Event { at: known_at, kind: EventKind::Input(input) });
            told(&tape)
        };
        let before = |told: Vec<(Timestamp, String)>| -> Vec<String> {
            told.into_iter().filter(|(at, _)| *at < known_at).map(|(_, text)| text).collect()
        };
        prop_assert_eq!(before(with(ratio)), before(with(ratio + 1.0)));
    }
}
