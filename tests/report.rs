//! The report as a file: alone, offline, the same every time, and safe with any name.

use arb::generator::{GeneratorConfig, TapeGenerator};
use arb::report::BacktestCollector;
use arb::{Backtest, EngineConfig, Record, Registry, Timestamp, Trade};
use serde_json::Value;

use crate::support::with_strategy;

const TRADES: usize = 800_000;

fn page(config: &EngineConfig, trades: usize) -> String {
    let mut seen = BacktestCollector::new();
    let registry = Registry::builtin();
    let mut test = Backtest::new(config.clone(), registry, &mut seen).unwrap();
    for trade in TapeGenerator::new(GeneratorConfig::btcusdt(7)).take(trades) {
        test.on_trade(&trade, &mut seen);
    }
    test.finish(&mut seen);
    let mut html = Vec::new();
    seen.report(test.engine()).write_to(&mut html).unwrap();
    String::from_utf8(html).unwrap()
}

fn config() -> EngineConfig {
    with_strategy("v51_baseline")
}

/// The page without the charting library.
fn own(html: &str) -> String {
    html.replace(arb::report::plotly_js(), "")
}

fn data(html: &str) -> Value {
    let start = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let rest = &html[start..];
    serde_json::from_str(&rest[..rest.find("</script>").unwrap()]).unwrap()
}

#[test]
fn the_same_run_writes_the_same_page() {
    assert!(page(&config(), TRADES) == page(&config(), TRADES));
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let html = own(&page(&config(), 20_000));
    assert!(html.contains("default-src 'none'"), "the page's own policy forbids requests");
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "fetch(", "import("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn a_page_tells_the_run() {
    let html = page(&config(), TRADES);
    let told = own(&html);
    let hash = data(&html)["config_hash"].as_str().unwrap().to_owned();
    assert_eq!(hash.len(), 64);
    assert!(told.contains(&hash));
    for part in [
        "No market inputs: signals fire on order flow alone.",
        "800,000 trades read",
        "Risk rules off for lack of data",
        "quotes; the configured spread is used",
        "Profit factor",
        "needs 30 days",
        "By hour of entry",
        "complete_4h",
        "No trade is missing.",
    ] {
        assert!(told.contains(part), "{part}");
    }
}

#[test]
fn the_data_hold_prices_trades_and_decisions_with_their_factors() {
    let data = data(&page(&config(), TRADES));
    assert_eq!(arb::hash_of(data["config"].as_str().unwrap().as_bytes()), data["config_hash"]);
    let price = &data["instruments"][0]["price"];
    let column = |name: &str| price[name].as_array().unwrap().clone();
    let (high, low) = (column("high"), column("low"));
    assert!(high.len() > 1_000 && high.len() == low.len());
    assert!(high.iter().zip(&low).all(|(h, l)| h.as_f64() >= l.as_f64()));
    let trades = &data["trades"];
    assert!(!trades["id"].as_array().unwrap().is_empty());
    let decisions = &data["decisions"];
    let reasons = decisions["reason"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason == "entry"));
    assert_eq!(reasons.len(), decisions["factors"].as_array().unwrap().len());
    let factor = &decisions["factors"][0][0];
    let shape = usize::try_from(factor[0].as_u64().unwrap()).unwrap();
    assert_eq!(decisions["shapes"][shape]["name"], "direction");
    assert!(factor[1].as_f64() <= decisions["shapes"][shape]["max"].as_f64());
}

/// Every extreme of a series is on the page: the deepest drawdown is the one of the summary.
#[test]
fn the_deepest_drawdown_is_drawn() {
    let html = page(&config(), TRADES);
    let drawdown = &data(&html)["drawdown"];
    let values = ["first", "second"].map(|name| drawdown[name].as_array().unwrap().clone());
    let deepest = values.iter().flatten().filter_map(Value::as_f64).fold(0.0, f64::min);
    assert!(deepest < 0.0);
    let card = format!("{:.1} %", -deepest * 100.0);
    assert!(html.contains(&format!("Max drawdown</dt><dd class=\"figure \">{card}")), "{card}");
}

#[test]
fn a_page_stays_small_however_long_the_tape() {
    let mut config = config();
    config.record = Record::All;
    let (mut seen, registry) = (BacktestCollector::new(), Registry::builtin());
    let mut test = Backtest::new(config, registry, &mut seen).unwrap();
    let minutes = 30 * 24 * 60;
    for (minute, trade) in
        (0..minutes).zip(TapeGenerator::new(GeneratorConfig::btcusdt(7)).step_by(10))
    {
        let ts = Timestamp::from_millis(1_717_200_000_000 + minute * 60_000);
        test.on_trade(&Trade { id: minute.unsigned_abs() + 1, ts, ..trade }, &mut seen);
    }
    test.finish(&mut seen);
    let mut html = Vec::new();
    seen.report(test.engine()).write_to(&mut html).unwrap();
    let html = String::from_utf8(html).unwrap();
    assert!(html.contains("172,7"), "every decision is counted");
    let data = data(&html);
    let length = |of: &Value| of.as_array().unwrap().len();
    assert!(length(&data["decisions"]["reason"]) <= 10_000);
    assert_eq!(data["instruments"][0]["price"]["step_ms"], 300_000);
    assert!(length(&data["instruments"][0]["price"]["open"]) <= 8_641);
    assert!(own(&html).len() < 6_000_000, "{}", own(&html).len());
}

#[test]
fn no_name_can_break_out_of_the_page() {
    let hostile = "</script><img src=x onerror=alert(1)><!--\u{2028}\"'&";
    let text = Registry::builtin_text("v51_baseline").unwrap();
    let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
    json["symbols"] = serde_json::json!([hostile]);
    let mut config = crate::support::config().with_strategy(hostile, &json.to_string()).unwrap();
    config.record = Record::All;
    let html = own(&page(&config, 20_000));
    assert!(!html.contains("<img") && !html.contains("<!--"));
    assert_eq!(html.matches("</script>").count(), 4, "one for each script of the page");
    assert!(data(&html).to_string().contains("onerror=alert(1)"), "the name is there as text");
}

#[test]
fn a_run_without_decisions_or_trades_has_a_page() {
    let html = page(&crate::support::config(), 100);
    for part in ["no strategy", "No trade was closed.", "100 trades read"] {
        assert!(html.contains(part), "{part}");
    }
}
