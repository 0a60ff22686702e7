//! Maintenance-margin tiers in the shape of the venue's `leverageBracket` answer.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use arb::{Decimal, LeverageBracket, Money, brackets_flaw, decimal_text};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Symbol {
    symbol: String,
    brackets: Vec<Tier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tier {
    initial_leverage: u16,
    notional_cap: Money,
    #[serde(with = "decimal_text")]
    maint_margin_ratio: Decimal,
    cum: Money,
}

/// Tiers by symbol, lowest first.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Vec<LeverageBracket>)>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| name.to_string())?;
    let symbols: Vec<Symbol> = serde_json::from_str(&text).map_err(|e| {
        anyhow!("{name}:{}: {e}; a list of {{symbol, brackets}} is needed", e.line())
    })?;
    let tier = |tier: Tier| LeverageBracket {
        notional_cap: tier.notional_cap,
        max_leverage: tier.initial_leverage,
        maint_margin_ratio: tier.maint_margin_ratio,
        cum: tier.cum,
    };
    let table = |Symbol { symbol, brackets }: Symbol| {
        let mut tiers: Vec<LeverageBracket> = brackets.into_iter().map(tier).collect();
        tiers.sort_by_key(|tier| tier.notional_cap);
        match brackets_flaw(&tiers) {
            Some((field, message)) => bail!("{name}: {symbol}: {field}: {message}"),
            None => Ok((symbol, tiers)),
        }
    };
    symbols.into_iter().map(table).collect()
}
