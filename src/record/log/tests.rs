//! The log by its claims: nothing confirmed is lost, torn ends are cut, damage is refused.

use std::io::Read as _;
use std::time::Duration;

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use arb_core::{
    Engine, EngineConfig, Event, Instrument, InstrumentConfig, Registry, Timestamp, Trade,
};

use super::*;
use crate::record::{JournalWriter, replay};
use arb_core::Observer as _;

fn config() -> EngineConfig {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    let spec = Instrument::perpetual("BTCUSDT", tick, lot);
    EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
}

fn header() -> LogHeader {
    LogHeader::new(&config()).unwrap()
}

fn events(count: usize) -> Vec<Event> {
    let configure = config().to_event(Timestamp::EPOCH).unwrap();
    let trades = TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(count);
    // Every fifth trade comes twice, so that the engine has something to say.
    let doubled = trades.enumerate().flat_map(|(at, trade): (usize, Trade)| {
        std::iter::repeat_n(Event::trade(trade), if at % 5 == 4 { 2 } else { 1 })
    });
    std::iter::once(configure).chain(doubled).collect()
}

fn open(options: &LogOptions) -> Opened {
    LogWriter::open(options.clone(), &header()).unwrap()
}

/// Logs events with what an engine says, `per_flush` steps at a time.
fn write(options: &LogOptions, events: &[Event], per_flush: usize) {
    let mut writer = open(options).writer;
    let mut buffer = LogBuffer::after(writer.last());
    let (mut engine, mut out) = (Engine::new(Registry::builtin()), Vec::new());
    for some in events.chunks(per_flush) {
        if writer.is_full() {
            writer.rotate(&header()).unwrap();
        }
        for event in some {
            buffer.event(event).unwrap();
            engine.on_event(event, &mut out);
            out.drain(..).for_each(|output| {
                buffer.output(&output).unwrap();
            });
        }
        writer.flush(&buffer).unwrap();
        buffer.restart(writer.last());
    }
}

fn journal(events: &[Event]) -> Vec<u8> {
    let mut writer = JournalWriter::new(Vec::new()).unwrap();
    let (mut engine, mut out) = (Engine::new(Registry::builtin()), Vec::new());
    for event in events {
        writer.event(event);
        engine.on_event(event, &mut out);
        out.drain(..).for_each(|output| writer.output(&output));
    }
    writer.finish().unwrap()
}

fn view(options: &LogOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    LogView::open(&options.folder).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn fresh(segment_bytes: u64) -> (tempfile::TempDir, LogOptions) {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes, ..LogOptions::new(folder.path().join("log")) };
    (folder, options)
}

fn only_segment(options: &LogOptions) -> PathBuf {
    segment::list(&options.folder).unwrap().pop().unwrap().path
}

/// The error of an opening that must fail.
fn refused(options: &LogOptions) -> String {
    LogWriter::open(options.clone(), &header()).unwrap_err().to_string()
}

#[test]
fn a_log_of_many_segments_reads_as_the_one_journal_without_its_last_event() {
    let (_folder, options) = fresh(2_000);
    let events = events(500);
    write(&options, &events, 7);
    assert!(segment::list(&options.folder).unwrap().len() > 5);
    let all_but_last = journal(&events[..events.len() - 1]);
    assert_eq!(view(&options), all_but_last);
    let replayed = replay(LogView::open(&options.folder).unwrap(), Registry::builtin()).unwrap();
    assert_eq!((replayed.difference, replayed.events), (None, events.len() as u64 - 1));
    assert!(replayed.outputs > 50);
}

#[test]
fn a_cursor_goes_on_where_it_stopped_and_never_beyond_what_is_durable() {
    let (_folder, options) = fresh(1_500);
    let events = events(200);
    write(&options, &events, 3);
    let last = open(&options).writer.last();
    let count = |from: Seq, to: Seq| {
        let mut cursor = LogCursor::new(&options.folder, from);
        let mut seen = Vec::new();
        while let Some(record) = cursor.next(to).unwrap() {
            seen.push(match record {
                LogRecord::Event(event) => format!("{event:?}"),
                LogRecord::Output(bytes) => format!("{bytes:?}"),
            });
        }
        assert_eq!(cursor.last(), to);
        seen
    };
    let all = count(0, last);
    assert_eq!(all.len() as u64, last);
    for from in [1, 2, 50, last - 1] {
        assert_eq!(count(from, last), all[usize::try_from(from).unwrap()..], "from {from}");
    }
    assert_eq!(count(3, 90), all[3..90]);
}

#[test]
fn a_torn_end_is_cut_off_wherever_the_write_was_interrupted() {
    let (_folder, options) = fresh(1 << 20);
    let mut events = events(9);
    // The configuration is long, and one cut inside it is like another.
    events.rotate_left(1);
    events.truncate(9);
    write(&options, &events, 1);
    let path = only_segment(&options);
    let bytes = std::fs::read(&path).unwrap();
    let whole: Vec<u64> = {
        let (mut reader, _) = segment::open(&path).unwrap();
        let first = reader.offset();
        std::iter::once(first)
            .chain(std::iter::from_fn(|| reader.next().ok().map(|_| reader.offset())))
            .collect()
    };
    for length in usize::try_from(whole[0]).unwrap()..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let Opened { writer, torn } = open(&options);
        let kept = whole.iter().rposition(|at| *at <= length as u64).unwrap();
        assert_eq!(writer.last(), kept as u64, "cut at {length}");
        let cut = length as u64 - whole[kept];
        assert_eq!(torn.as_ref().map_or(0, |torn| torn.bytes), cut);
        if let Some(torn) = torn {
            let from = usize::try_from(whole[kept]).unwrap();
            assert_eq!(std::fs::read(torn.kept).unwrap(), bytes[from..length]);
        }
    }
}

#[test]
fn garbage_behind_the_last_record_is_torn_and_kept() {
    let (_folder, options) = fresh(1 << 20);
    write(&options, &events(40), 1);
    let path = only_segment(&options);
    let bytes = std::fs::read(&path).unwrap();
    for garbage in [vec![0; 5_000], vec![0xff; 77], b"\x05\0\0\0garbage, and more".to_vec()] {
        let mut damaged = bytes.clone();
        damaged.extend_from_slice(&garbage);
        std::fs::write(&path, &damaged).unwrap();
        let torn = open(&options).torn.unwrap();
        assert_eq!(std::fs::read(torn.kept).unwrap(), garbage);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_flipped_bit_before_the_last_record_refuses_the_log() {
    let (_folder, options) = fresh(1 << 20);
    write(&options, &events(40), 1);
    let path = only_segment(&options);
    let bytes = std::fs::read(&path).unwrap();
    let last = usize::try_from(segment::scan(&path).unwrap().unwrap().before_last.0).unwrap();
    for at in (0..last).step_by(13) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let message = refused(&options);
        assert!(message.contains(".arbj: "), "byte {at}: {message}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "nothing is cut off");
    }
}

#[test]
fn a_log_of_another_version_is_refused_with_what_to_do() {
    let (_folder, options) = fresh(1 << 20);
    write(&options, &events(10), 1);
    let path = only_segment(&options);
    let own = Header { engine_version: "0.0.1".to_owned(), log: Some(Box::new(header())) };
    let mut bytes = MAGIC.to_vec();
    encode::append_raw(&mut bytes, Kind::Header, &serde_json::to_vec(&own).unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let message = refused(&options);
    assert!(message.contains("written by engine 0.0.1"), "{message}");
    assert!(message.contains("begin anew in another folder"), "{message}");
}

#[test]
fn a_log_of_another_run_and_one_that_is_being_written_are_refused() {
    let (_folder, options) = fresh(1 << 20);
    let held = open(&options);
    assert!(refused(&options).contains("another process writes this log"));
    drop(held);
    let other = LogHeader { run: "other".parse().unwrap(), ..header() };
    let message = LogWriter::open(options, &other).unwrap_err().to_string();
    assert!(message.contains("not of RunId(other)"), "{message}");
}

#[test]
fn a_flush_that_finds_no_room_leaves_nothing_and_can_be_repeated() {
    let (_folder, mut options) = fresh(1 << 20);
    options.max_bytes = Some(20_000);
    let ballast = options.folder.join("ballast");
    let mut writer = open(&options).writer;
    std::fs::write(&ballast, vec![0; 18_000]).unwrap();
    let mut buffer = LogBuffer::default();
    events(100).iter().for_each(|event| {
        buffer.event(event).unwrap();
    });
    for _ in 0..2 {
        let message = writer.flush(&buffer).unwrap_err().to_string();
        assert!(message.contains("may hold 20000 bytes"), "{message}");
        assert_eq!(writer.last(), 0);
    }
    std::fs::remove_file(&ballast).unwrap();
    writer.flush(&buffer).unwrap();
    drop(writer);
    assert_eq!(open(&options).writer.last(), buffer.last());
}

#[test]
fn a_segment_whose_header_was_being_written_is_begun_again() {
    let (_folder, options) = fresh(1 << 20);
    write(&options, &events(20), 1);
    let last = open(&options).writer.last();
    {
        let mut writer = open(&options).writer;
        writer.rotate(&header()).unwrap();
    }
    let path = only_segment(&options);
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 3, 6, 9, 15, 40, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let opened = open(&options);
        assert_eq!((opened.writer.last(), opened.torn), (last, None), "{length} bytes");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn old_segments_go_and_the_view_begins_with_the_configuration_in_force() {
    let (_folder, options) = fresh(2_000);
    let events = events(500);
    write(&options, &events, 7);
    let last = open(&options).writer.last();
    let before = segment::list(&options.folder).unwrap().len() as u64;
    let kept = remove_before(&options.folder, last / 2, Duration::from_hours(1)).unwrap();
    assert_eq!(kept, Removed::default(), "too young");
    let removed = remove_before(&options.folder, last / 2, Duration::ZERO).unwrap();
    assert!(removed.segments > 1 && removed.segments < before);
    let view = LogView::open(&options.folder).unwrap();
    assert!(view.begins_after() > 0 && view.begins_after() < last / 2);
    let message = LogCursor::new(&options.folder, 1).next(last).unwrap_err().to_string();
    assert!(message.contains("record 2 is missing"), "{message}");
    let found = crate::record::parity(
        LogView::open(&options.folder).unwrap(),
        view,
        crate::record::Tolerance::default(),
        &mut |_| {},
    );
    assert!(found.unwrap().identical);
}

#[test]
fn a_poisoned_event_is_passed_over_by_every_reader() {
    let (_folder, options) = fresh(1 << 20);
    let events = events(30);
    let mut writer = open(&options).writer;
    let mut buffer = LogBuffer::default();
    events[..20].iter().for_each(|event| {
        buffer.event(event).unwrap();
    });
    writer.flush(&buffer).unwrap();
    poison(&options.folder, &Poisoned { seq: 20, message: "overflow".to_owned() }).unwrap();
    let mut cursor = LogCursor::new(&options.folder, 18);
    assert!(cursor.next(20).unwrap().is_some());
    assert!(cursor.next(20).unwrap().is_none());
    assert_eq!(cursor.last(), 20);
}
