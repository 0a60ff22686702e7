//! What only the inside can make: other versions, damaged records, and every output read back.

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use arb_core::{Backtest, EngineConfig, Instrument, InstrumentConfig, Observer, Output, Registry};

use super::*;
use crate::record::{JournalWriter, checksum};

fn config() -> EngineConfig {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    let spec = Instrument::perpetual("BTCUSDT", tick, lot);
    let mut config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
    config.record = arb_core::Record::All;
    let text = Registry::builtin_text("v51_baseline").unwrap();
    config.with_strategy("v51_baseline", text).unwrap()
}

fn run<O: Observer>(mut seen: O, trades: usize) -> O {
    let mut test = Backtest::new(config(), Registry::builtin(), &mut seen).unwrap();
    for (id, trade) in
        (1..).zip(TapeGenerator::new(GeneratorConfig::btcusdt(7)).step_by(60).take(trades))
    {
        // One hole, so that holes are told, too.
        let id = if id > 29_000 { id + 3 } else { id };
        test.on_trade(&arb_core::Trade { id, ..trade }, &mut seen);
    }
    test.finish(&mut seen);
    seen
}

fn journal() -> Vec<u8> {
    run(JournalWriter::new(Vec::new()).unwrap(), 3_000).finish().unwrap()
}

fn compared(a: &[u8], b: &[u8]) -> Result<Parity, ParityError> {
    parity(a, b, Tolerance::default(), &mut |_| {})
}

/// Reads every output back and writes it again.
#[derive(Default)]
struct ReadBack {
    kinds: std::collections::BTreeMap<String, u32>,
}

impl Observer for ReadBack {
    fn output(&mut self, output: &Output) {
        let bytes = postcard::to_stdvec(output).unwrap();
        let told: Told = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(postcard::to_stdvec(&told).unwrap(), bytes, "{output:?}");
        let kind = format!("{told:?}").split(['(', ' ']).next().unwrap().to_owned();
        *self.kinds.entry(kind).or_default() += 1;
    }
}

#[test]
fn every_output_of_a_run_reads_back_to_the_same_bytes() {
    let kinds = run(ReadBack::default(), 30_000).kinds;
    for kind in ["Submit", "Cancel", "Signal", "Trade", "Hole", "Configured"] {
        assert!(kinds.contains_key(kind), "{kind} is not among {kinds:?}");
    }
}

#[test]
fn the_other_outputs_read_back_too() {
    use arb_core::{
        DropReason, InstrumentId, Money, OrderUpdate, RejectReason, RiskNote, RiskState, Rule,
        Timestamp as At, Trip,
    };
    let (instrument, at) = (InstrumentId(3), At::from_millis(7));
    let trip = Trip { rule: Rule::DailyLoss, limit: 3.into(), actual: 4.into() };
    let note = RiskNote {
        at,
        state: RiskState::Halted,
        trip: Some(trip),
        reason: "because".to_owned(),
        strategy: Some("mine".to_owned()),
    };
    let paid = Money::round("-1.25".parse().unwrap());
    let mut seen = ReadBack::default();
    for output in [
        Output::Risk(Box::new(note)),
        Output::Funding { instrument, funding_time: at, paid, approx: true },
        Output::Dropped { instrument, reason: DropReason::Duplicate },
        Output::Quarantined { instrument },
        Output::ConfigRefused { message: "no".to_owned() },
        Output::Unfilled {
            id: "b1-de-6-0-0".parse().unwrap(),
            instrument,
            strategy: "mine".to_owned(),
            update: OrderUpdate::Rejected(RejectReason::Code(-2019)),
        },
    ] {
        seen.output(&output);
    }
    assert_eq!(seen.kinds.len(), 6);
}

/// The journal with another header.
fn of_version(journal: &[u8], version: &str) -> Vec<u8> {
    let header = format!("{{\"engine_version\":\"{version}\"}}");
    let old = usize::try_from(u32::from_le_bytes(journal[6..10].try_into().unwrap())).unwrap();
    let mut bytes = journal[..6].to_vec();
    bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(checksum(b'h', header.as_bytes()).to_le_bytes());
    bytes.push(b'h');
    bytes.extend(header.as_bytes());
    bytes.extend(&journal[15 + old..]);
    bytes
}

#[test]
fn another_version_is_compared_and_named() {
    let own = journal();
    let other = of_version(&own, "9.9.9");
    let result = compared(&own, &other).unwrap();
    assert!(result.is_equal() && !result.identical);
    assert_eq!(result.causes[0].kind, CauseKind::EngineVersion);
    assert_eq!(result.contents[1].engine_version, "9.9.9");
    // An output that only the other version gives has no other cause.
    let mut lost = JournalWriter::new(Vec::new()).unwrap();
    struct Without<'a>(&'a mut JournalWriter<Vec<u8>>, bool);
    impl Observer for Without<'_> {
        fn event(&mut self, event: &arb_core::Event) {
            self.0.event(event);
        }
        fn output(&mut self, output: &Output) {
            if !self.1 && matches!(output, Output::Signal(_)) {
                self.1 = true;
                return;
            }
            self.0.output(output);
        }
    }
    run(Without(&mut lost, false), 3_000);
    let lost = of_version(&lost.finish().unwrap(), "9.9.9");
    let result = compared(&own, &lost).unwrap();
    assert_eq!((result.count(DifferenceKind::SignalMissed), result.unexplained()), (1, 0));
    assert_eq!(result.causes[0].effects, 1);
}

#[test]
fn damage_is_told_with_journal_and_place() {
    let whole = journal();
    for at in (6..whole.len()).step_by(whole.len() / 60) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let error = compared(&whole, &damaged).unwrap_err();
        assert_eq!(error.which, Which::B, "byte {at}");
        assert!(!error.to_string().is_empty());
        assert_eq!(compared(&damaged, &whole).unwrap_err().which, Which::A, "byte {at}");
        assert!(compared(&whole[..at], &whole).is_err(), "cut at {at}");
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let text = compared(&whole, &damaged).unwrap_err().to_string();
    assert!(text.starts_with("journal B: record ") && text.contains(" at byte "), "{text}");
    assert!(matches!(compared(b"nothing", &whole).unwrap_err().source, RecordError::NotAJournal));
}

#[test]
fn a_record_that_cannot_be_read_names_its_own_place() {
    let whole = journal();
    let header = usize::try_from(u32::from_le_bytes(whole[6..10].try_into().unwrap())).unwrap();
    let start = 15 + header;
    let mut bytes = whole[..start].to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(checksum(b'e', &[0xff; 3]).to_le_bytes());
    bytes.push(b'e');
    bytes.extend([0xff; 3]);
    bytes.extend(&whole[start..]);
    match compared(&bytes, &whole).unwrap_err().source {
        RecordError::Corrupt { number, offset, what } => {
            assert_eq!((number, offset), (2, start as u64));
            assert!(what.starts_with("cannot be read as written by engine 0.1.0"), "{what}");
        }
        other => panic!("{other}"),
    }
}
