//! A whole strategy: buy when takers bought a tenth more than they sold, wherever ATR is known.
use arb::generator::{GeneratorConfig, TapeGenerator};
use arb::stats::Summary;
use arb::{
    Backtest, Bracket, Context, Decision, Direction, EngineConfig, Entry, Event, ExitRules,
    Factors, Instrument, InstrumentConfig, Intent, Reason, Recorder, Registry, Side, Strategy,
    Tier,
};

#[derive(Debug)]
struct Imbalance;

impl Strategy for Imbalance {
    fn name(&self) -> &'static str {
        "imbalance"
    }

    fn on_event(&mut self, cx: &Context<'_>, _event: &Event, out: &mut Vec<Intent>) {
        let Some(row) = cx.indicators().filter(|row| row.complete_30m) else { return };
        let imbalance = row.cvd_30m.to_f64_lossy() / row.volume_30m.to_f64_lossy();
        let (Some(atr), None, true) = (row.atr, cx.position(), imbalance > 0.1) else { return };
        out.push(Intent::Enter(Box::new(Entry {
            side: Side::Buy,
            bracket: Bracket { atr, rules: ExitRules::standard() },
            risk_r: 1.into(),
            cool_down_ms: 600_000,
            decision: Decision {
                time: cx.now(),
                instrument: cx.instrument(),
                direction: Some(Direction::Long),
                score: 100.0 * imbalance,
                tier: Some(Tier::Standard),
                reason: Reason::Entry,
                price: Some(row.last_price),
                factors: Factors::default(),
            },
        })));
    }
}

fn main() -> anyhow::Result<()> {
    let mut registry = Registry::builtin();
    registry.register("imbalance", |_: &str, _: &str| Ok(Box::new(Imbalance) as Box<dyn Strategy>));
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
    let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
        .with_strategy("inline", r#"{"kind": "imbalance", "name": "imbalance"}"#)?;
    let mut seen = Recorder::default();
    let mut test = Backtest::new(config, registry, &mut seen)?;
    for trade in TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(1_000_000) {
        test.on_trade(&trade, &mut seen);
    }
    test.finish(&mut seen);
    println!("{:#?}", Summary::new(seen.trades.values(), &seen.equity));
    Ok(())
}
