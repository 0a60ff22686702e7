//! Every refused configuration names its field and what is allowed.

use super::*;
use crate::config::InstrumentConfig;
use crate::instrument::LeverageBracket;

fn config() -> EngineConfig {
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
    EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: Decimal::ONE }])
}

fn refused(change: impl Fn(&mut EngineConfig)) -> String {
    let mut config = config();
    change(&mut config);
    let (field, message) = flaw(&config).expect("refused");
    format!("{field}: {message}")
}

#[test]
fn the_defaults_make_sense() {
    assert_eq!(flaw(&config()), None);
    let mut spot = config();
    spot.instruments[0].spec =
        Instrument::spot("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
    assert_eq!(flaw(&spot), None, "spot needs no margin tiers");
    spot.instruments.extend(config().instruments);
    assert_eq!(flaw(&spot), None, "one symbol in two markets");
}

#[test]
fn symbols_are_what_a_venue_lists() {
    let with =
        |symbol: &str| refused(|config| config.instruments[0].spec.symbol = symbol.to_owned());
    assert_eq!(with(""), "symbol: \"\" is empty; a symbol such as BTCUSDT is needed");
    assert!(with("btcusdt").contains("has small letters"));
    for symbol in
        ["</script>", "BTC USDT", "BTC/USDT", "A\u{0}", "\u{202e}TDSU", "A".repeat(41).as_str()]
    {
        assert!(with(symbol).starts_with("symbol: "), "{symbol:?}");
    }
    for symbol in ["BTCUSDT_260925", "1000PEPEUSDT", "BTC-USD", "币安人生USDT"] {
        assert_eq!(symbol_flaw(symbol), None, "{symbol}");
    }
    let twice = refused(|config| config.instruments.extend(super::tests::config().instruments));
    assert_eq!(twice, "instruments: um:BTCUSDT is given twice");
}

#[test]
fn margin_tiers_rise_and_are_continuous() {
    type Change = fn(&mut Vec<LeverageBracket>);
    let with = |change: Change| refused(|config| change(&mut config.instruments[0].spec.brackets));
    let cases: [(Change, &str); 7] = [
        (Vec::clear, "BTCUSDT.brackets: is empty"),
        (|tiers| tiers[1].notional_cap = tiers[0].notional_cap, "brackets[2].notional_cap: 50000"),
        (|tiers| tiers[0].notional_cap = -tiers[0].notional_cap, "brackets[1].notional_cap"),
        (|tiers| tiers[0].max_leverage = 0, "brackets[1].max_leverage: 0 given, 1 to 150"),
        (|tiers| tiers[2].maint_margin_ratio = Decimal::ZERO, "brackets[3].maint_margin_ratio"),
        (|tiers| tiers[4].maint_margin_ratio = Decimal::ONE, "brackets[5].maint_margin_ratio"),
        (|tiers| tiers[1].cum = Money::ZERO, "brackets[2].cum: 0 given, 750 makes"),
    ];
    for (change, message) in cases {
        let text = with(change);
        assert!(text.contains(message), "{text} lacks {message}");
    }
}

#[test]
fn numbers_outside_their_range_are_refused() {
    type Change = fn(&mut EngineConfig);

    let minus = Decimal::NEGATIVE_ONE;
    assert_eq!(
        refused(|config| config.instruments[0].spread_bps = minus),
        "BTCUSDT.spread_bps: -1 given, 0 to 1000 is allowed"
    );
    let cases: [(Change, &str); 12] = [
        (|c| c.instruments[0].spec.tick_size = Price::ZERO, "BTCUSDT.tick_size: 0 given"),
        (|c| c.instruments[0].spec.lot_size = Qty::ZERO, "BTCUSDT.lot_size: 0 given"),
        (|c| c.instruments.clear(), "instruments: 0 given"),
        (|c| c.account.initial_balance = Money::ZERO, "account.initial_balance"),
        (|c| c.account.leverage = 0, "account.leverage: 0 given, 1 to 150"),
        (|c| c.account.taker_fee = Decimal::NEGATIVE_ONE, "account.taker_fee: -1"),
        (|c| c.risk.budget = Budget::Quote(Money::ZERO), "risk.budget.quote"),
        (|c| c.risk.max_drawdown_ratio = Decimal::TWO, "risk.max_drawdown_ratio: 2"),
        (|c| c.risk.margin_ratio_cut = Decimal::ZERO, "risk.margin_ratio_cut: 0"),
        (|c| c.risk.carry.halve_distance = Decimal::TWO, "risk.carry.halve_distance: 2"),
        (|c| c.paper.max_participation = Decimal::TWO, "paper.max_participation: 2"),
        (|c| c.paper.latency_ms = 60_001, "paper.latency_ms: 60001 given, 0 to 60000"),
    ];
    for (change, message) in cases {
        let text = refused(change);
        assert!(text.contains(message), "{text} lacks {message}");
    }
    let mut rebate = config();
    rebate.account.maker_fee = Decimal::new(-5, 5);
    assert_eq!(flaw(&rebate), None, "a maker may be paid");
}
