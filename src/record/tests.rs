//! Journals: written, replayed, damaged.

use arb_core::{
    Backtest, EngineConfig, Instrument, InstrumentConfig, Observer, Registry,
    generator::{GeneratorConfig, TapeGenerator},
};

use super::*;

fn journal() -> Vec<u8> {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    let spec = Instrument::perpetual("BTCUSDT", tick, lot);
    let mut config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
    config.record = arb_core::Record::All;
    let text = Registry::builtin_text("v51_baseline").unwrap();
    let config = config.with_strategy("v51_baseline", text).unwrap();
    let mut writer = JournalWriter::new(Vec::new()).unwrap();
    let registry = Registry::builtin();
    let mut test = Backtest::new(config, registry, &mut writer).unwrap();
    for trade in TapeGenerator::new(GeneratorConfig::btcusdt(3)).take(2_000) {
        test.on_trade(&trade, &mut writer);
    }
    test.finish(&mut writer);
    writer.finish().unwrap()
}

#[test]
fn replays_to_the_same_bytes() {
    let replayed = replay(journal().as_slice(), Registry::builtin()).unwrap();
    assert_eq!(replayed.difference, None);
    assert!(replayed.events > 2_000 && replayed.outputs > 0, "{replayed:?}");
}

#[test]
fn every_cut_and_every_flipped_byte_is_found() {
    let whole = journal();
    for cut in (0..whole.len()).step_by(97) {
        let found = replay(&whole[..cut], Registry::builtin());
        assert!(found.is_err(), "cut at {cut}: {found:?}");
    }
    for at in (6..whole.len()).step_by(89) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let found = replay(damaged.as_slice(), Registry::builtin());
        assert!(found.is_err(), "byte {at}: {found:?}");
    }
}

#[test]
fn data_behind_the_end_is_damage() {
    for more in [b"x".to_vec(), journal()] {
        let doubled = [journal(), more].concat();
        let error = replay(doubled.as_slice(), Registry::builtin()).unwrap_err();
        assert!(error.to_string().contains("behind the end"), "{error}");
    }
}

#[test]
fn tells_the_first_output_that_differs() {
    // The same events under another configuration's outputs: the first event is replaced by one
    // that the engine refuses, so every later output is missing.
    let mut writer = JournalWriter::new(Vec::new()).unwrap();
    let hash = "0".repeat(64);
    let configure = arb_core::Configure { bytes: b"{}".to_vec(), hash };
    let kind = arb_core::EventKind::Configure(Box::new(configure));
    writer.event(&arb_core::Event { at: arb_core::Timestamp::EPOCH, kind });
    let bytes = writer.finish().unwrap();
    let difference = replay(bytes.as_slice(), Registry::builtin()).unwrap().difference.unwrap();
    assert_eq!((difference.event, difference.output, difference.recorded), (1, 1, None));
    assert!(difference.replayed.unwrap().contains("ConfigRefused"));
}

#[test]
fn another_engine_version_is_refused() {
    let mut bytes = journal();
    let at = bytes.windows(5).position(|w| w == b"0.1.0").unwrap();
    bytes[at] = b'9';
    // The checksum of the header is mended, as another version would have written it.
    let length = u32::from_le_bytes(bytes[6..10].try_into().unwrap()) as usize;
    let sum = checksum(b'h', &bytes[15..15 + length]);
    bytes[10..14].copy_from_slice(&sum.to_le_bytes());
    let error = replay(bytes.as_slice(), Registry::builtin()).unwrap_err();
    assert!(matches!(error, RecordError::Version { .. }), "{error}");
}
