//! Coins: the short names of the configured USDT perpetuals.
//!
//! Invariant: a coin means one configured perpetual, and everything else goes by its full symbol,
//! so no two instruments share a key.

use arb_core::port::{Catalog, Listed};
use arb_core::{Instrument, Market};

use crate::error::ApiError;

const QUOTE: &str = "USDT";

/// The names of the configured perpetuals.
#[derive(Clone, Copy, Debug)]
pub struct Coins<'a>(&'a [String]);

impl<'a> Coins<'a> {
    /// The coins of the configured symbols.
    #[must_use]
    pub const fn new(symbols: &'a [String]) -> Self {
        Self(symbols)
    }

    /// The configured symbols, in their order.
    pub fn symbols(self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(String::as_str)
    }

    /// The key of a symbol: `BTC` for a configured `BTCUSDT`, else the symbol.
    ///
    /// ```
    /// let symbols = ["BTCUSDT".to_owned()];
    /// let coins = arb_http::Coins::new(&symbols);
    /// assert_eq!(coins.coin("BTCUSDT"), "BTC");
    /// assert_eq!(coins.coin("DOGEUSDT"), "DOGEUSDT");
    /// ```
    #[must_use]
    pub fn coin(self, symbol: &str) -> &str {
        let base = symbol.strip_suffix(QUOTE).filter(|base| !base.is_empty());
        base.filter(|_| self.0.iter().any(|own| own == symbol)).unwrap_or(symbol)
    }

    /// The symbol that a key or a symbol means, in capitals or not.
    #[must_use]
    pub fn symbol<'s>(self, given: &'s str) -> &'s str
    where
        'a: 's,
    {
        let is_meant = |symbol: &&'a str| {
            symbol.eq_ignore_ascii_case(given) || self.coin(symbol).eq_ignore_ascii_case(given)
        };
        self.symbols().find(is_meant).unwrap_or(given)
    }

    /// The perpetual that a key or a symbol means.
    pub(crate) fn find<'c>(
        self,
        catalog: &'c Catalog,
        given: &str,
    ) -> Result<(Listed, &'c Instrument), ApiError> {
        let symbol = self.symbol(given);
        let mut all = catalog.iter();
        all.find(|(_, i)| i.market == Market::Um && i.symbol.eq_ignore_ascii_case(symbol))
            .ok_or_else(|| ApiError::NotFound("no perpetual of this symbol is known".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_and_its_symbol_mean_the_same_perpetual() {
        let symbols = ["BTCUSDT", "1000PEPEUSDT", "BTCUSDC"].map(str::to_owned);
        let coins = Coins::new(&symbols);
        assert_eq!(coins.symbol("BTC"), "BTCUSDT");
        assert_eq!(coins.symbol("BTCUSDT"), "BTCUSDT");
        assert_eq!(coins.symbol("1000PEPE"), "1000PEPEUSDT");
        assert_eq!(coins.symbol("ETH"), "ETH", "what is not configured goes by its full symbol");
        assert_eq!(coins.coin("BTCUSDC"), "BTCUSDC");
        assert_eq!(coins.coin("USDT"), "USDT");
    }
}
