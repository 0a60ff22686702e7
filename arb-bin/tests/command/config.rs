//! `arb config`, and what settings do to `arb run`.

use serde_json::Value;

use super::running::{Running, until};
use super::support::Folder;

#[test]
fn a_fresh_file_is_commented_right_and_never_written_over() {
    let folder = Folder::new();
    let said = folder.ok(&["config", "init"]).stderr;
    assert!(said.contains("arb.toml"), "{said}");
    let written = folder.read("arb.toml");
    let text = String::from_utf8(written.clone()).unwrap();
    assert!(text.contains("#: history_hours = 4.5") && text.contains("PG_HOST"), "{text}");
    folder.arb(&["config", "init"]).refused(1, &["arb.toml", "exists already"]);
    assert_eq!(folder.read("arb.toml"), written);
    let said = folder.ok(&["config", "check"]).stdout;
    assert!(said.contains("arb.toml: right; 0 values"), "{said}");
    folder.ok(&["config", "init", "other.toml"]);
    folder.arb(&["config", "init", "no/where.toml"]).refused(1, &["no/where.toml"]);
}

#[test]
fn every_value_is_shown_with_its_origin_and_secrets_are_not() {
    let folder = Folder::new();
    let secret = "https://discord.com/api/webhooks/1/the-secret-token";
    folder.write("arb.toml", format!("balance = 500\n\ndiscord_webhook = \"{secret}\"\n"));
    let env = [("ARB_HISTORY_HOURS", "6"), ("PG_PASS", "the-secret-pass"), ("ARB_TYPO", "1")];
    let shown = folder.arb_with(&env, &["config", "show"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for line in [
        "balance                 500",
        "history_hours           6.0",
        "discord_webhook         (set, hidden)",
        "postgres.pass           (set, hidden)",
        "http.listen             \"127.0.0.1:8000\"",
        "postgres.host           -",
    ] {
        assert!(shown.stdout.contains(line), "{line:?} is not in {}", shown.stdout);
    }
    for end in ["arb.toml:1", "arb.toml:3", "ARB_HISTORY_HOURS", "PG_PASS", "default"] {
        assert!(shown.stdout.lines().any(|line| line.ends_with(end)), "{end}");
    }
    assert!(!format!("{shown:?}").contains("the-secret"), "{shown:?}");
    assert!(shown.stderr.contains("ARB_TYPO is no setting"), "{}", shown.stderr);
    let json = folder.arb_with(&env, &["config", "show", "--json"]).stdout;
    let rows: Value = serde_json::from_str(&json).unwrap();
    let row =
        |key: &str| rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(row("balance")["from"], "arb.toml:1");
    assert_eq!(row("keep_days.tape")["value"], "\"forever\"");
    assert_eq!(row("trade_env")["value"], Value::Null);
    assert!(!json.contains("the-secret"), "{json}");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let run = ["run", "--data", "d", "--order-venue", "binance"];
    folder
        .arb_with(&[("TRADE_ENV", "production")], &run)
        .refused(1, &["trade_env (TRADE_ENV) is production", "no live executor", "paper"]);
    folder.arb(&run).refused(1, &["order_venue (--order-venue)", "no live executor"]);
    let postgres = [("PG_HOST", "db"), ("PG_PASS", "the-secret")];
    let refused = folder.arb_with(&postgres, &["run", "--data", "d"]);
    refused.refused(1, &["postgres.host (PG_HOST)", "not built yet"]);
    assert!(!refused.stderr.contains("the-secret"));
    folder
        .arb_with(&[("CLOUD_PG_ENABLED", "1")], &["run", "--data", "d"])
        .refused(1, &["CLOUD_PG_ENABLED", "not built yet"]);
    folder
        .arb_with(&[("JWT_SECRET", "short")], &["run", "--data", "d"])
        .refused(1, &["JWT_SECRET", "5 bytes; 32 or more"]);
    folder
        .arb_with(&[("LIVE_STRATEGIES", r#"["v99"]"#)], &["run", "--data", "d"])
        .refused(1, &["strategies (LIVE_STRATEGIES)", "v99", "v52_8signals"]);
    folder
        .arb_with(&[("ARB_DISCORD_WEBHOOK", "https://example.com/the-secret")], &["demo"])
        .refused(1, &["ARB_DISCORD_WEBHOOK", "no address of Discord"]);
    folder.write("arb.toml", "order_venue = \"binance\"\n");
    folder.arb(&["run", "--data", "d"]).refused(1, &["order_venue (arb.toml:1)"]);
    folder.arb(&["config", "check"]).refused(1, &["order_venue (arb.toml:1)"]);
    folder.write("arb.toml", "[risk]\nper_trad = \"1%\"\n");
    let parts = ["arb.toml:2:1: ", "unknown field `per_trad`", "`per_trade`"];
    folder.arb(&["run", "--data", "d"]).refused(1, &parts);
    folder.arb(&["config", "check", "arb.toml"]).refused(1, &parts);
    folder.arb(&["run", "--config", "none.toml"]).refused(1, &["none.toml", "arb config init"]);
    assert_eq!(folder.names(), ["arb.toml"], "nothing was written");
}

#[test]
fn a_node_runs_as_its_file_says() {
    let folder = Folder::new();
    let sim = ["sim", "--seed", "5", "--symbols", "BTCUSDT,ETHUSDT", "--data", "venue"];
    let sim = Running::start(&folder, &sim);
    folder.write(
        "arb.toml",
        "data = \"own\"\ndata_venue = \"sim\"\nvenue_json = \"venue/venue.json\"\n\
         symbols = [\"ETHUSDT\"]\nbalance = 777\nhistory_hours = 0\nlog = \"json\"\n",
    );
    let mut node = Running::start(&folder, &["run"]);
    assert_eq!(node.ready["data"], "own");
    assert_eq!(node.ready["clock"]["speed"], 1);
    assert_eq!(node.ready["futures_rest"], sim.ready["futures_rest"]);
    let line = node.wait_for("upkeep");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO");
    until("rates, which finds the folder by the file, has some", || {
        let said = folder.ok(&["rates", "--json"]).stdout;
        let rates: Value = serde_json::from_str(&said).unwrap();
        !rates["rates"].as_array().unwrap().is_empty()
    });
    node.stop();
    sim.stop();
}
