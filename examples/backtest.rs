//! A back-test of both strategies that come with the engine, over a generated tape.
use arb::generator::{GeneratorConfig, TapeGenerator};
use arb::stats::Summary;
use arb::{Backtest, EngineConfig, Instrument, InstrumentConfig, Recorder, Registry};

fn main() -> anyhow::Result<()> {
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
    let mut config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
    for name in Registry::builtin_names() {
        config = config.with_strategy(name, Registry::builtin_text(name).unwrap_or_default())?;
    }

    let mut seen = Recorder::default();
    let mut test = Backtest::new(config, Registry::builtin(), &mut seen)?;
    for trade in TapeGenerator::new(GeneratorConfig::btcusdt(7)).take(2_000_000) {
        test.on_trade(&trade, &mut seen);
    }
    test.finish(&mut seen);

    for trade in seen.trades.values() {
        println!(
            "{}  {:<12} {:<5} {:>10} -> {:>10}  {:<11} R {:+.2}",
            trade.entry_time,
            trade.strategy,
            trade.direction.as_str(),
            trade.entry_price.to_string(),
            trade.exit_price.map_or("-".to_owned(), |price| price.to_string()),
            trade.status.as_str(),
            trade.r_multiple.unwrap_or_default(),
        );
    }
    println!("{:#?}", Summary::new(seen.trades.values(), &seen.equity));
    Ok(())
}
