//! Answers as they were last reviewed, byte by byte, in `tests/golden/`.
//!
//! To rewrite them: `ARB_GOLDEN=write cargo test -p arb-http golden`. Read the difference then.

use std::path::PathBuf;

use arb_core::port::Mode;

use crate::caller::Caller;
use crate::fixture::Fixture;

/// Compares an answer with its file.
fn compare(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    let found = spread(text);
    if std::env::var("ARB_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&file, found).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{name}: {error}; see the head of this file"));
    assert!(reviewed == found, "{name} differs:\n{found}");
}

/// The same JSON on many lines; numbers keep their digits, because nobody reads them.
fn spread(text: &str) -> String {
    let (mut out, mut depth, mut inside, mut escaped) = (String::new(), 0_usize, false, false);
    for c in text.chars() {
        if inside {
            out.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                inside = true;
                out.push(c);
            }
            '{' | '[' => {
                depth += 1;
                out.push(c);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                if out.trim_end().ends_with(['{', '[']) {
                    out.truncate(out.trim_end().len());
                } else {
                    new_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out.push('\n');
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

const GETS: &[(&str, &str)] = &[
    ("health", "/api/health"),
    ("rates", "/api/rates"),
    ("me", "/api/me"),
    ("keys", "/api/keys"),
    ("invites", "/api/invites"),
    ("users", "/api/users"),
    ("user", "/api/users/2"),
    ("audit", "/api/audit?limit=3"),
    ("snapshots", "/api/snapshots?hours=3&limit=6"),
    ("snapshots_symbols", "/api/snapshots?hours=1&symbols=ETH"),
    ("kline_1h", "/api/kline?symbol=BTC&interval=1h&limit=3"),
    ("kline_5m", "/api/kline?symbol=BTCUSDT&interval=5m&limit=4"),
    ("kline_1d", "/api/kline?symbol=BTC&interval=1d&limit=2"),
    ("stats", "/api/stats"),
    ("stats_ytd", "/api/stats/ytd"),
    ("history", "/api/history?days=2"),
    ("opportunities", "/api/funding/opportunities"),
    ("signals_latest", "/api/signals/latest"),
    ("signals_latest_v52", "/api/signals/latest-v52"),
    ("signals_of_strategy", "/api/signals/latest?strategy=v52_8signals"),
    ("signals_history", "/api/signals/history?symbol=ETH&limit=2"),
    ("indicators", "/api/signals/indicators?symbol=BTC&minutes=1"),
    ("market_indicators", "/api/signals/market-indicators?symbol=BTC"),
    ("market_indicators_absent", "/api/signals/market-indicators?symbol=ETH"),
    ("trades_meta", "/api/trades/meta"),
    ("trades_summary", "/api/trades/summary?symbol=BTC&interval=5m"),
    ("trades_latest", "/api/trades/latest?symbol=BTC&limit=3"),
    ("paper_summary", "/api/paper/summary"),
    ("paper_summary_of_strategy", "/api/paper/summary?strategy=v52_8signals"),
    ("paper_positions", "/api/paper/positions"),
    ("paper_trades", "/api/paper/trades?result=win&limit=2"),
    ("paper_equity_curve", "/api/paper/equity-curve"),
    ("paper_stats", "/api/paper/stats"),
    ("paper_stats_by_strategy", "/api/paper/stats-by-strategy"),
    ("paper_config", "/api/paper/config"),
    ("risk_status", "/api/live/risk-status"),
    ("events", "/api/live/events?limit=4"),
    ("carry", "/api/live/carry"),
];

#[tokio::test]
async fn golden_answers_of_a_node_on_paper() {
    let caller = Caller::of(&Fixture::new().await);
    for (name, path) in GETS {
        let answer = caller.get(path, "admin").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        compare(name, &answer.text);
    }
}

#[tokio::test]
async fn golden_answers_of_a_node_that_trades_live() {
    let caller = Caller::of(&Fixture::of(Mode::Live).await);
    for (name, path) in [
        ("live_account", "/api/live/account"),
        ("live_reconciliation", "/api/live/reconciliation"),
        ("live_execution_quality", "/api/live/execution-quality"),
        ("live_summary", "/api/live/summary"),
        ("live_trades", "/api/live/trades"),
    ] {
        let answer = caller.get(path, "user").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        compare(name, &answer.text);
    }
    for path in ["summary", "positions", "config"] {
        let answer = caller.get(&format!("/api/paper/{path}"), "user").await;
        assert_eq!((answer.status.as_u16(), answer.detail().contains("/api/live/")), (409, true));
    }
}

#[tokio::test]
async fn golden_answers_of_logging_in_and_out() {
    let caller = Caller::of(&Fixture::new().await);
    let register =
        r#"{"email":"new@example.com","password":"long enough text","invite_code":"welcome"}"#;
    for (name, path, token, body) in [
        ("register", "/api/register", "", register),
        ("login", "/api/login", "", r#"{"email":"user@example.com","password":"correct horse"}"#),
        ("refresh", "/api/refresh", "", r#"{"refresh_token":"refresh-2"}"#),
        ("logout", "/api/logout", "user", r#"{"refresh_token":"refresh-2"}"#),
        ("create_key", "/api/keys", "user", r#"{"name":"bot","scopes":["read"]}"#),
        ("create_invite", "/api/invites", "admin", r#"{"uses":3,"expires_in_days":1}"#),
    ] {
        let answer = caller.post(path, token, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        compare(name, &answer.text);
    }
}
