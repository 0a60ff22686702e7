//! Settings by their claims: which layer wins, what is refused and where, what is never shown.

use super::template::UNSET;
use super::*;

fn load(toml: &str, variables: &[(&str, &str)], flags: &[Flag]) -> Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("arb.toml");
    std::fs::write(&path, toml).unwrap();
    Config::load(Which::Named(&path), &Variables::of(variables), flags)
}

fn refused(toml: &str) -> String {
    let text = format!("{:#}", load(toml, &[], &[]).unwrap_err());
    text.rsplit_once("arb.toml").unwrap().1.to_owned()
}

fn value(config: &Config, name: &str) -> (Option<String>, String) {
    let shown = config.shown().unwrap();
    let (key, value) = shown.into_iter().find(|(key, _)| key.name == name).unwrap();
    let origin = config.origin(key).to_string();
    (value, origin.rsplit('/').next().unwrap().to_owned())
}

#[test]
fn the_template_sets_nothing_and_uncommented_it_says_every_default() {
    let template = template().unwrap();
    let config = load(&template, &[], &[]).unwrap();
    assert!(KEYS.iter().all(|key| *config.origin(key) == Origin::Default));
    let whole = template.replace(UNSET, "");
    let config = load(&whole, &[], &[]).unwrap();
    let defaults = Config::load(Which::Without, &Variables::default(), &[]).unwrap();
    for (key, value) in defaults.shown().unwrap() {
        let (own, origin) = self::value(&config, key.name);
        assert!(origin.starts_with("arb.toml:"), "{}: {origin}", key.name);
        assert!(value.is_none() || value == own, "{}: {value:?} {own:?}", key.name);
        assert!(own.is_some(), "{}", key.name);
    }
}

#[test]
fn the_keys_are_the_fields_of_the_settings() {
    fn flat(table: &Table, before: &str, names: &mut Vec<String>) {
        for (name, value) in table {
            match value {
                Value::Table(inner) => flat(inner, &format!("{before}{name}."), names),
                _ => names.push(format!("{before}{name}")),
            }
        }
    }
    let whole = template().unwrap().replace(UNSET, "");
    let settings = load(&whole, &[], &[]).unwrap().settings;
    let mut names = Vec::new();
    flat(&Table::try_from(settings).unwrap(), "", &mut names);
    names.sort();
    let mut keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    keys.sort_unstable();
    assert_eq!(names, keys);
}

#[test]
fn flags_beat_variables_beat_the_file_beats_defaults() {
    let toml = "history_hours = 6\nbalance = 5000\n[keep_days]\ntape = 30\n";
    let variables = [("ARB_HISTORY_HOURS", "8"), ("ARB_KEEP_DAYS_MARKET", "90")];
    let flags = [("history_hours", "--history-hours", "10".to_owned())];
    let config = load(toml, &variables, &flags).unwrap();
    for (key, expected) in [
        ("history_hours", ("10.0", "--history-hours")),
        ("balance", ("5000", "arb.toml:2")),
        ("keep_days.tape", ("30", "arb.toml:4")),
        ("keep_days.market", ("90", "ARB_KEEP_DAYS_MARKET")),
        ("keep_days.signals", ("\"forever\"", "default")),
    ] {
        let (value, origin) = value(&config, key);
        assert_eq!((value.as_deref(), origin.as_str()), (Some(expected.0), expected.1), "{key}");
    }
    assert_eq!(arb::port::KeepDays::from(config.settings.keep_days).tape, Some(30));
}

#[test]
fn the_earlier_system_s_variables_are_honoured_and_ours_are_stronger() {
    let variables = [
        ("LIVE_STRATEGIES", r#"["v52_8signals"]"#),
        ("RISK_PER_TRADE_USD", "2.5"),
        ("TRADE_ENV", "production"),
        ("PG_HOST", "db"),
        ("PG_PORT", "5433"),
        ("PG_DB", "arb"),
        ("PG_USER", "me"),
        ("PG_PASS", "hunter2"),
        ("CLOUD_PG_HOST", "cloud"),
        ("CLOUD_PG_ENABLED", "true"),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("ARB_POSTGRES_HOST", "other"),
        ("ARB_SYMBOLS", " BTCUSDT, SOLUSDT "),
        ("ARB_BALANCE", ""),
        ("ARB_SYMBOL", "typo"),
    ];
    let config = load("", &variables, &[]).unwrap();
    let Settings { strategies, symbols, trade_env, postgres, .. } = &config.settings;
    assert_eq!(strategies, &["v52_8signals"]);
    let listed = ["BTCUSDT", "SOLUSDT"].map(str::to_owned);
    assert_eq!(*symbols, Symbols::Listed(listed.into()));
    assert_eq!(*trade_env, Some(TradeEnv::Production));
    assert_eq!((postgres.port, postgres.cloud_enabled), (Some(5_433), true));
    assert_eq!(value(&config, "postgres.host").0.unwrap(), "\"other\"");
    assert_eq!(value(&config, "risk.per_trade").0.unwrap(), "\"2.5 USDT\"");
    assert_eq!(value(&config, "balance").1, "default", "an empty variable is none");
    assert_eq!(config.unknown, ["ARB_SYMBOL"]);
    let all = load("", &[("ARB_SYMBOLS", "all"), ("LIVE_STRATEGIES", "a, b")], &[]).unwrap();
    assert_eq!(all.settings.symbols, Symbols::All);
    assert_eq!(all.settings.strategies, ["a", "b"]);
}

#[test]
fn no_secret_is_ever_shown() {
    let secret = "0123456789-the-secret-0123456789-abcdef";
    let toml = format!(
        "discord_webhook = '{secret}'\nheartbeat_url = '{secret}'\njwt_secret = '{secret}'\n\
         [postgres]\npass = '{secret}'\n"
    );
    let config = load(&toml, &[], &[]).unwrap();
    let shown = format!("{config:?} {:?}", config.shown().unwrap());
    assert!(!shown.contains(secret), "{shown}");
    assert_eq!(value(&config, "jwt_secret").0.unwrap(), REDACTED);
    let text = refused("jwt_secret = 'too-short-a-secret'");
    assert!(text.contains("18 bytes; 32 or more") && !text.contains("too-short"), "{text}");
    let text = refused("jwt_secret = ['0123456789-the-secret']");
    assert!(!text.contains("the-secret"), "{text}");
    let variables = [("PG_PASS", "   "), ("JWT_SECRET", "too-short-a-secret")];
    let text = format!("{:#}", load("", &variables, &[]).unwrap_err());
    assert!(text.contains("JWT_SECRET: jwt_secret: has 18 bytes"), "{text}");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_is_allowed() {
    for (toml, parts) in [
        ("histroy_hours = 6", vec![":1:1: ", "unknown field `histroy_hours`", "`history_hours`"]),
        ("log = 'text'\n[keep_days]\ntapes = 3", vec![":3:1: ", "`tapes`", "`tape`"]),
        ("\nhistory_hours = 99", vec![":2:17: ", "history_hours: 99 given; 0 to 48 is allowed"]),
        (
            "data_venue = 'kraken'",
            vec![":1:14: ", "data_venue: ", "`kraken`", "`binance`", "`sim`"],
        ),
        ("symbols = ['btcusdt']", vec![":1:11: ", "symbols: ", "btcusdt"]),
        ("symbols = []", vec!["symbols: ", "\"all\""]),
        ("strategies = []", vec!["strategies: ", "one name or more"]),
        ("[keep_days]\ntape = 0", vec![":2:8: ", "keep_days.tape: 0 given; \"forever\" or 2"]),
        ("[risk]\nper_trade = '50%'", vec![":2:13: ", "risk.per_trade: ", "10%", "2 USDT"]),
        ("[risk]\nper_trade = 0.02", vec!["risk.per_trade: ", "\"0.02\" given"]),
        ("[http]\nlisten = 'here'", vec![":2:10: ", "http.listen: ", "socket address"]),
        ("[http]\nenabled = 'maybe'", vec!["http.enabled: ", "true or false"]),
        ("balance = -5", vec!["balance: -5 given; above 0"]),
        ("balance = ", vec![":1:"]),
        ("log = 'text'\nlog = 'json'", vec![":2:1: ", "duplicate key"]),
    ] {
        let text = refused(toml);
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text:?} of {toml:?}");
        }
    }
    let error = |variables: &[_], flags: &[Flag]| load("", variables, flags).unwrap_err();
    let text = error(&[("ARB_HISTORY_HOURS", "x")], &[]).to_string();
    assert_eq!(text, "ARB_HISTORY_HOURS: history_hours: x given; 0 to 48 is allowed");
    let text = error(&[("RISK_PER_TRADE_USD", "-1")], &[]).to_string();
    assert!(text.starts_with("RISK_PER_TRADE_USD: risk.per_trade: \"-1 USDT\""), "{text}");
    let flag = ("history_hours", "--history-hours", "99".to_owned());
    let usage = error(&[], &[flag]);
    assert!(usage.is::<crate::commands::Usage>(), "{usage}");
}

#[test]
fn proxies_are_addresses_and_front_ends_of_this_machine_may_call() {
    let config = load("[http]\ntrusted_proxies = [\"127.0.0.1\", \"::1\"]\n", &[], &[]).unwrap();
    let proxies = &config.settings.http.trusted_proxies;
    assert_eq!(proxies, &["127.0.0.1", "::1"].map(|a| a.parse::<std::net::IpAddr>().unwrap()));
    assert_eq!(value(&config, "http.cors_origins").1, "default");
    assert!(value(&config, "http.cors_origins").0.unwrap().contains("http://localhost:3000"));
    let none = load("", &[("ARB_HTTP_CORS_ORIGINS", "[]")], &[]).unwrap();
    assert!(none.settings.http.cors_origins.is_empty());
    let error = load("[http]\ntrusted_proxies = [\"proxy\"]\n", &[], &[]).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("trusted_proxies") && text.contains("127.0.0.1"), "{text}");
}
