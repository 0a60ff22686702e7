//! An engine made from its snapshot goes on as if nothing had happened.

use arb::{
    Backfill, Backtest, Engine, EngineConfig, EngineState, Event, EventKind, FundingSettled,
    Instrument, InstrumentConfig, InstrumentId, Observer, Output, PaperVenue, Registry, Side,
    Timestamp, Trade,
};

use crate::support::{events, random_tape, with_strategy};

/// Every event of a run, the venue's answers among them.
#[derive(Default)]
struct All(Vec<Event>);

impl Observer for All {
    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

fn all_events(config: EngineConfig, events: &[Event]) -> Vec<Event> {
    let mut all = All::default();
    let mut test = Backtest::new(config, Registry::builtin(), &mut all).unwrap();
    events.iter().for_each(|event| test.on_event(event.clone(), &mut all));
    test.finish(&mut all);
    all.0
}

fn bytes(engine: &Engine) -> Vec<u8> {
    postcard::to_stdvec(&engine.snapshot().unwrap()).unwrap()
}

fn said(out: &[Output]) -> Vec<u8> {
    out.iter().flat_map(|output| postcard::to_stdvec(output).unwrap()).collect()
}

/// Runs the events twice, once through snapshots every `every` events.
fn the_same_through_snapshots(events: &[Event], every: usize) -> usize {
    let mut whole = Engine::new(Registry::builtin());
    let mut cut = Engine::new(Registry::builtin());
    let (mut a, mut b, mut total) = (Vec::new(), Vec::new(), 0);
    for (at, event) in events.iter().enumerate() {
        if at % every == every - 1 {
            let state: EngineState = postcard::from_bytes(&bytes(&cut)).unwrap();
            cut = Engine::restore(Registry::builtin(), state).unwrap();
        }
        whole.on_event(event, &mut a);
        cut.on_event(event, &mut b);
        assert_eq!(said(&a), said(&b), "event {at}: {event:?}");
        total += a.len();
        a.clear();
        b.clear();
    }
    assert_eq!(bytes(&whole), bytes(&cut));
    total
}

#[test]
fn a_directional_run_goes_on_through_snapshots_byte_for_byte() {
    for (seed, every) in [(1, 997), (2, 5_003)] {
        let mut trades = random_tape(seed, 20_000, 3_000);
        // Holes, one of them filled later.
        trades.drain(4_000..4_050);
        let filled: Vec<Trade> = trades.drain(9_000..9_040).collect();
        let mut events = events(&trades);
        let instrument = InstrumentId(0);
        let backfill = Backfill { instrument, trades: filled };
        let at = events[12_000].at;
        events.insert(12_001, Event { at, kind: EventKind::Backfill(Box::new(backfill)) });
        let mut config = with_strategy("v51_baseline");
        config.instruments[0].spec.tick_size = "0.01".parse().unwrap();
        let outputs = the_same_through_snapshots(&all_events(config, &events), every);
        assert!(outputs > 20, "{outputs}");
    }
}

#[test]
fn a_carry_run_goes_on_through_snapshots_byte_for_byte() {
    let (tick, lot) = ("0.01".parse().unwrap(), "0.01".parse().unwrap());
    let specs = [Instrument::perpetual("XUSDT", tick, lot), Instrument::spot("XUSDT", tick, lot)];
    let instruments = specs.map(|spec| InstrumentConfig { spec, spread_bps: 0.into() });
    let text = Registry::builtin_text("funding_carry").unwrap().replace("0.5", "0.4");
    let mut config =
        EngineConfig::new(instruments.to_vec()).with_strategy("funding_carry", &text).unwrap();
    config.grid_secs = 3_600;
    let hour = 3_600_000_000_000;
    let start = Timestamp::from_millis(1_700_006_400_000);
    let mut events = Vec::new();
    for step in 0..24 * 40_i64 {
        let at = start.plus(step * hour);
        if step % 8 == 0 {
            let rate = if step < 24 * 25 { "0.0008" } else { "-0.0004" }.parse().unwrap();
            let funding = FundingSettled {
                instrument: InstrumentId(0),
                funding_time: at,
                rate,
                mark_price: None,
            };
            let known = at.plus(60_000_000_000);
            events.push(Event { at: known, kind: EventKind::Funding(funding) });
        }
        for (instrument, second) in [(1, 120), (0, 121), (1, 1_800), (0, 1_801)] {
            let price = format!("100.{:02}", step * 7 % 30 + i64::from(instrument));
            events.push(Event::trade(Trade {
                instrument: InstrumentId(instrument),
                taker_side: if step % 2 == 0 { Side::Buy } else { Side::Sell },
                id: (step as u64) * 2 + u64::from(second >= 1_800) + 1,
                ts: at.plus(i64::from(second) * 1_000_000_000),
                price: price.parse().unwrap(),
                qty: "1000000".parse().unwrap(),
            }));
        }
    }
    let outputs = the_same_through_snapshots(&all_events(config, &events), 101);
    assert!(outputs > 50, "{outputs}");
}

#[test]
fn a_strategy_that_does_not_tell_its_memory_allows_no_snapshot() {
    #[derive(Debug)]
    struct Silent;
    impl arb::Strategy for Silent {
        fn name(&self) -> &'static str {
            "silent"
        }
        fn on_event(&mut self, _: &arb::Context<'_>, _: &Event, _: &mut Vec<arb::Intent>) {}
    }
    let mut registry = Registry::builtin();
    registry.register("silent", |_: &str, _: &str| Ok(Box::new(Silent) as Box<dyn arb::Strategy>));
    let text = r#"{"kind": "silent", "name": "silent"}"#;
    let config = crate::support::config().with_strategy("silent", text).unwrap();
    let mut engine = Engine::new(registry);
    engine.on_event(&config.to_event(Timestamp::EPOCH).unwrap(), &mut Vec::new());
    let message = engine.snapshot().unwrap_err().to_string();
    assert!(message.contains("silent: the strategy does not tell what it remembers"), "{message}");
}

#[test]
fn the_paper_venue_reads_back_to_the_same_bytes() {
    let venue = PaperVenue::new(&with_strategy("v51_baseline"));
    let bytes = postcard::to_stdvec(&venue).unwrap();
    let back: PaperVenue = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(postcard::to_stdvec(&back).unwrap(), bytes);
}
