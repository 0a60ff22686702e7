//! The same events give the same bytes.

use arb::record::{JournalWriter, replay};
use arb::{Event, Registry};
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
