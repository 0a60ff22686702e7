//! What a strategy is made of, in words, with its numbers.

use std::fmt::Write as _;

use anyhow::Result;
use arb::InputName;
use arb::strategy::funding_carry::{FundingCarry, FundingCarryConfig};
use arb::strategy::layered_score::{LayeredScore, LayeredScoreConfig, ScoreRange};

use super::text_of;

pub(super) fn text(strategy: &str, inputs: &[InputName]) -> Result<String> {
    let (file, text) = text_of(strategy)?;
    if let Ok(carry) = FundingCarry::parse(&file, &text) {
        return carry_text(carry.config());
    }
    let score = LayeredScore::parse(&file, &text)?;
    let mut out = String::new();
    writeln!(out, "{}  (layered_score)", score.config().name)?;
    reach(&mut out, inputs, score.score_range(inputs))?;
    layers(&mut out, score.config())?;
    exits(&mut out, score.config())?;
    Ok(out)
}

/// A number to two decimals, without zeros at its end.
pub(super) fn rounded(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What scores can come out with these inputs.
fn reach(out: &mut String, inputs: &[InputName], range: ScoreRange) -> std::fmt::Result {
    let names: Vec<&str> = inputs.iter().map(|input| input.as_str()).collect();
    let present = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let share = range.inputs_present * 100.0;
    writeln!(out, "market inputs at hand: {present} ({share:.0} % of their weight)")?;
    let tier = range.reachable.map_or("none".to_owned(), |t| format!("{t:?}").to_lowercase());
    let (min, max) = (rounded(range.min), rounded(range.max));
    writeln!(out, "score: {min} to {max}; strongest tier in reach: {tier}")
}

fn layers(out: &mut String, config: &LayeredScoreConfig) -> std::fmt::Result {
    let tiers = &config.tiers;
    writeln!(
        out,
        "tiers: light from {}, standard from {} (x {}), heavy from {} (x {})\n",
        rounded(tiers.light_from),
        rounded(config.threshold),
        tiers.standard_multiplier,
        rounded(tiers.heavy_from),
        tiers.heavy_multiplier,
    )?;
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
        writeln!(out, "  {:>5}  {layer:<13} {rule}", rounded(weight))?;
    }
    Ok(())
}

fn exits(out: &mut String, config: &LayeredScoreConfig) -> std::fmt::Result {
    out.push_str(
        "\ngates, in this order: complete_30m, complete_4h, complete_15m, coverage_24h, cvd_4h,\n  \
         atr, inputs_present, min_atr_percentile, max_atr_percentile, traded_bars, cost_r, \
         threshold\n",
    );
    let exits = &config.exits;
    writeln!(
        out,
        "\nstop: the largest of {} ATR, {} bps, {} ticks, {} spreads; targets at {} and {} stops; \
         {} minutes at most",
        rounded(exits.stop_atr),
        rounded(exits.min_stop_bps),
        exits.min_stop_ticks,
        rounded(exits.min_stop_spreads),
        rounded(exits.tp1_stop_multiple),
        rounded(exits.tp2_stop_multiple),
        exits.timeout_minutes,
    )
}

fn carry_text(config: &FundingCarryConfig) -> Result<String> {
    let percent = |ratio: f64| format!("{:.2} %", ratio * 100.0);
    let mut out = String::new();
    writeln!(out, "{}  (funding_carry)\n", config.name)?;
    let (ratio, apr) = (config.notional_ratio.round_dp(4), percent(config.min_net_apr));
    writeln!(out, "coins long, perpetual short, {ratio} of equity a pair")?;
    writeln!(out, "entry   net_apr above {apr}, where")?;
    writeln!(
        out,
        "          net_apr  = (funding - costs - basis loss) / capital, per year
          funding  = expected over {} days: the next settlement at the running
                     rate, later ones at the least of it and the means of 3 and 7 days
          costs    = fees, half-spreads and slippage of both round trips
          loss     = median basis of 7 days at exit sides above the basis now
        |basis| at most {} bps, {} hours of it known
exit    low_funding       gross funding below {} a year at {} settlements in a row
        negative_funding  24 hours of negative funding cost more than leaving and coming back
        basis_gain        the basis gives now what funding is expected to
        basis_loss, delisting, liquidated, operator: by risk",
        config.horizon_days,
        rounded(config.max_basis_bps),
        config.min_basis_hours,
        percent(config.exit_apr),
        config.exit_settlements,
    )?;
    Ok(out)
}
