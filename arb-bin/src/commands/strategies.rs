//! `arb strategies`: what there is, whether a file is right, and what a score is made of.

use anyhow::{Context as _, Result, bail};
use arb::strategy::funding_carry::{self, FundingCarry};
use arb::strategy::layered_score::{self, LayeredScore};
use arb::{InputName, Registry, Tier};

use super::usage;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Names of the strategies that come with the engine
    List,
    /// Read strategy files and tell what is wrong
    Check {
        /// Files or names
        #[arg(required = true)]
        strategies: Vec<String>,
    },
    /// Print the JSON Schema of a strategy kind
    Schema {
        /// The kind
        #[arg(default_value = "layered_score")]
        kind: String,
    },
    /// What a score is made of, and what can be reached
    Explain {
        /// File or name
        strategy: String,
        /// Market inputs at hand, such as open_interest,long_short_ratio; none unless given
        #[arg(long, value_delimiter = ',')]
        inputs: Vec<String>,
    },
}

/// The JSON text of a file or a built-in name, with what to call it in messages.
pub(crate) fn text_of(strategy: &str) -> Result<(String, String)> {
    if let Some(text) = Registry::builtin_text(strategy) {
        return Ok((format!("{strategy}.json"), text.to_owned()));
    }
    match std::fs::read_to_string(strategy) {
        Ok(text) => Ok((strategy.to_owned(), text)),
        Err(error) => {
            let names: Vec<&str> = Registry::builtin_names().collect();
            let known = names.join(", ");
            Err(error).with_context(|| {
                format!("{strategy}: neither a strategy file nor a built-in name ({known})")
            })
        }
    }
}

pub(crate) fn input_names(names: &[String]) -> Result<Vec<InputName>> {
    let known = InputName::ALL.map(InputName::as_str).join(", ");
    names
        .iter()
        .map(|name| match InputName::ALL.into_iter().find(|input| input.as_str() == name) {
            Some(input) => Ok(input),
            None => usage(format!("{name:?} is no market input; known inputs: {known}")),
        })
        .collect()
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::List => Registry::builtin_names().for_each(|name| println!("{name}")),
        Command::Check { strategies } => return check(strategies),
        Command::Schema { kind } => {
            let schema = match kind.as_str() {
                "layered_score" => layered_score::schema(),
                "funding_carry" => funding_carry::schema(),
                _ => {
                    let known = "known kinds: funding_carry, layered_score";
                    return usage(format!("{kind:?} is no strategy kind; {known}"));
                }
            };
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
        Command::Explain { strategy, inputs } => return explain(strategy, &input_names(inputs)?),
    }
    Ok(())
}

fn check(strategies: &[String]) -> Result<()> {
    let mut wrong = 0_usize;
    for strategy in strategies {
        match text_of(strategy).and_then(|(file, text)| checked(&file, &text)) {
            Ok(note) => println!("{strategy}: ok{note}"),
            Err(error) => {
                eprintln!("error: {error:#}");
                wrong += 1;
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} strategies are refused", strategies.len());
    }
    Ok(())
}

fn checked(file: &str, text: &str) -> Result<String> {
    Registry::builtin().build(file, text)?;
    let Ok(score) = LayeredScore::parse(file, text) else { return Ok(String::new()) };
    let range = score.score_range(&[]);
    if range.reachable >= Some(Tier::Standard) {
        return Ok(format!(
            "; warning: without any market input the score still reaches {}, so it fires on order \
             flow alone (gates.min_inputs_present is {})",
            range.max,
            score.config().gates.min_inputs_present,
        ));
    }
    Ok(String::new())
}

fn explain(strategy: &str, inputs: &[InputName]) -> Result<()> {
    let (file, text) = text_of(strategy)?;
    if let Ok(carry) = FundingCarry::parse(&file, &text) {
        explain_carry(carry.config());
        return Ok(());
    }
    let score = LayeredScore::parse(&file, &text)?;
    let config = score.config();
    let names: Vec<&str> = inputs.iter().map(|input| input.as_str()).collect();
    let range = score.score_range(inputs);
    println!("{}  (layered_score)", config.name);
    let present = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    println!(
        "market inputs at hand: {present} ({:.0} % of their weight)",
        range.inputs_present * 100.0
    );
    let tier = range.reachable.map_or("none".to_owned(), |t| format!("{t:?}").to_lowercase());
    println!("score: {} to {}; strongest tier in reach: {tier}", range.min, range.max);
    let bounds = &config.tiers;
    println!(
        "tiers: light from {}, standard from {} (x {}), heavy from {} (x {})\n",
        bounds.light_from,
        config.threshold,
        bounds.standard_multiplier,
        bounds.heavy_from,
        bounds.heavy_multiplier,
    );
    let w = &config.weights;
    for (layer, weight, rule) in [
        ("direction", w.direction, "cvd_30m gives the side; cvd_4h must agree; large flow adds"),
        ("acceleration", w.acceleration, "bonus while cvd_accel has the side's sign"),
        ("crowding", w.crowding, "against all accounts' ratio, with the top traders' ratio"),
        ("funding", w.funding, "paid to the side, beyond the base interest"),
        ("environment", w.environment, "open interest over 15 minutes"),
        ("confirmation", w.confirmation, "both CVDs and the price's side of VWAP agree"),
        ("liquidation", w.liquidation, "the other side is being liquidated"),
        ("auxiliary", w.auxiliary, "Coinbase premium on the side"),
    ] {
        println!("  {weight:>4}  {layer:<13} {rule}");
    }
    println!(
        "\ngates, in this order: complete_30m, complete_4h, complete_15m, coverage_24h, cvd_4h,"
    );
    println!(
        "  atr, inputs_present, min_atr_percentile, max_atr_percentile, traded_bars, cost_r, threshold"
    );
    let exits = &config.exits;
    println!(
        "\nstop: the largest of {} ATR, {} bps, {} ticks, {} spreads; targets at {} and {} stops; \
         {} minutes at most",
        exits.stop_atr,
        exits.min_stop_bps,
        exits.min_stop_ticks,
        exits.min_stop_spreads,
        exits.tp1_stop_multiple,
        exits.tp2_stop_multiple,
        exits.timeout_minutes,
    );
    Ok(())
}

fn explain_carry(config: &funding_carry::FundingCarryConfig) {
    let percent = |ratio: f64| format!("{:.2} %", ratio * 100.0);
    println!("{}  (funding_carry)\n", config.name);
    println!("coins long, perpetual short, {} of equity a pair", config.notional_ratio);
    println!("entry   net_apr above {}, where", percent(config.min_net_apr));
    println!("          net_apr  = (funding - costs - basis loss) / capital, per year");
    println!(
        "          funding  = expected over {} days: the next settlement at the running",
        config.horizon_days
    );
    println!(
        "                     rate, later ones at the least of it and the means of 3 and 7 days"
    );
    println!("          costs    = fees, half-spreads and slippage of both round trips");
    println!("          loss     = median basis of 7 days at exit sides above the basis now");
    println!(
        "        |basis| at most {} bps, {} hours of it known",
        config.max_basis_bps, config.min_basis_hours
    );
    println!(
        "exit    low_funding       gross funding below {} a year at {} settlements in a row",
        percent(config.exit_apr),
        config.exit_settlements
    );
    println!(
        "        negative_funding  24 hours of negative funding cost more than leaving and coming back"
    );
    println!("        basis_gain        the basis gives now what funding is expected to");
    println!("        basis_loss, delisting, liquidated, operator: by risk");
}
