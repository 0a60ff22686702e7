//! The indicators of a generated tape, every five minutes.
use arb::generator::{GeneratorConfig, TapeGenerator};
use arb::{
    Backtest, Engine, EngineConfig, Instrument, InstrumentConfig, InstrumentId, Observer, Registry,
    Timestamp,
};

struct Print;

impl Observer for Print {
    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        let market = engine.market(InstrumentId(0));
        let Some(row) = market.and_then(|market| market.indicators()) else { return };
        if at.as_millis() % 300_000 == 0 {
            let (vwap, atr) = (row.vwap_30m.unwrap_or_default(), row.atr.unwrap_or_default());
            println!(
                "{at}  {:>9}  cvd {:>10}  vwap {vwap:.1}  atr {atr:.1}",
                row.last_price, row.cvd_30m
            );
        }
    }
}

fn main() -> anyhow::Result<()> {
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
    let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
    let mut test = Backtest::new(config, Registry::builtin(), &mut Print)?;
    for trade in TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(500_000) {
        test.on_trade(&trade, &mut Print);
    }
    test.finish(&mut Print);
    Ok(())
}
