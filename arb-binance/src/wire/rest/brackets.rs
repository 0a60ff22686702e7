//! Maintenance-margin tiers: `leverageBracket`.
//!
//! Invariant: tiers come lowest first. A coefficient of the account stretches its tiers, notional
//! and constant alike, which leaves them continuous.

use arb_core::{Decimal, LeverageBracket, Money, VenueError, decimal_text};
use serde::Deserialize;

use super::{Skipped, page};
use crate::wire::text::Text;

/// The tiers of one symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolBrackets {
    /// The venue's symbol.
    pub symbol: String,
    /// Its tiers, lowest first.
    pub brackets: Vec<LeverageBracket>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(default = "one", with = "decimal_text")]
    notional_coef: Decimal,
    brackets: Vec<Tier>,
}

fn one() -> Decimal {
    Decimal::ONE
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tier {
    initial_leverage: u16,
    #[serde(with = "decimal_text")]
    notional_cap: Decimal,
    #[serde(with = "decimal_text")]
    maint_margin_ratio: Decimal,
    #[serde(with = "decimal_text")]
    cum: Decimal,
}

/// The tiers of every symbol in the body, which holds a list or one object.
///
/// # Errors
/// [`VenueError::Decode`] for a body that is neither, or a symbol that cannot be read: a table
/// with a hole is worse than none.
pub fn leverage_brackets(body: &[u8]) -> Result<Vec<SymbolBrackets>, VenueError> {
    let page = page("leverageBracket", body, |row| {
        let wire: Wire<'_> = serde_json::from_str(row)?;
        let tier = |tier: &Tier| LeverageBracket {
            notional_cap: Money::round(tier.notional_cap.saturating_mul(wire.notional_coef)),
            max_leverage: tier.initial_leverage,
            maint_margin_ratio: tier.maint_margin_ratio,
            cum: Money::round(tier.cum.saturating_mul(wire.notional_coef)),
        };
        let mut brackets: Vec<_> = wire.brackets.iter().map(tier).collect();
        brackets.sort_by_key(|bracket| bracket.notional_cap);
        Ok::<_, Skipped>(SymbolBrackets { symbol: wire.symbol.0.into_owned(), brackets })
    })?;
    match page.dropped.into_iter().next() {
        Some(dropped) => Err(VenueError::Decode(dropped.to_string().into())),
        None => Ok(page.rows),
    }
}
