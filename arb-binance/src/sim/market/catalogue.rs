//! Symbols that the simulated venue knows by name, and rules for any other name.
//!
//! Invariant: a name gives the same symbol in every list it stands in. Ticks, lots and prices of
//! the known ones are of the order of the real venue's; an unknown name draws its own from a hash.

use arb_core::{Price, Qty, parse_units};

use super::noise::{bits, key_of};
use crate::wire::rest::multiplier;

/// What a symbol is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolSpec {
    /// The perpetual, such as `1000PEPEUSDT`.
    pub symbol: String,
    /// Its base asset.
    pub base: String,
    /// Its quote asset.
    pub quote: String,
    /// Price about which it moves.
    pub price: Price,
    /// Smallest price step.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Qty,
    /// Aggregate trades a day.
    pub trades_per_day: u32,
    /// How far it moves, in percent of what BTC does.
    pub volatility_percent: u16,
    /// Hours between settlements of funding: 8, 4, 2 or 1.
    pub funding_hours: u8,
    /// The spot pair of the same coin, where there is one.
    pub spot: Option<SpotSpec>,
}

/// A spot pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotSpec {
    /// The pair, such as `PEPEUSDT`.
    pub symbol: String,
    /// Its base asset.
    pub base: String,
    /// Smallest price step.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Qty,
    /// Units of the pair that one unit of the perpetual stands for.
    pub multiplier: u32,
}

/// Base asset; price, tick and lot of the perpetual; tick and lot of the spot pair; thousands of
/// aggregate trades a day; volatility in percent of BTC's; hours between settlements.
type Row = (&'static str, [&'static str; 3], [&'static str; 2], u32, u16, u8);

const KNOWN: &[Row] = &[
    ("BTC", ["84000", "0.1", "0.001"], ["0.01", "0.00001"], 1_000, 100, 8),
    ("ETH", ["3000", "0.01", "0.001"], ["0.01", "0.0001"], 800, 130, 8),
    ("SOL", ["140", "0.01", "0.01"], ["0.01", "0.001"], 400, 170, 8),
    ("XRP", ["2.2", "0.0001", "0.1"], ["0.0001", "0.1"], 250, 160, 8),
    ("BNB", ["850", "0.01", "0.01"], ["0.01", "0.001"], 200, 110, 8),
    ("DOGE", ["0.16", "0.00001", "1"], ["0.00001", "1"], 200, 180, 8),
    ("ADA", ["0.55", "0.0001", "1"], ["0.0001", "0.1"], 120, 170, 8),
    ("LTC", ["95", "0.01", "0.001"], ["0.01", "0.001"], 90, 150, 8),
    ("LINK", ["14", "0.001", "0.01"], ["0.01", "0.01"], 90, 170, 8),
    ("AVAX", ["16", "0.001", "1"], ["0.01", "0.01"], 90, 180, 8),
    ("TRX", ["0.29", "0.00001", "1"], ["0.0001", "0.1"], 60, 90, 8),
    ("DOT", ["2.9", "0.001", "0.1"], ["0.001", "0.01"], 60, 170, 8),
    ("BCH", ["510", "0.01", "0.001"], ["0.1", "0.001"], 60, 150, 8),
    ("SUI", ["2.1", "0.0001", "0.1"], ["0.0001", "0.1"], 120, 210, 4),
    ("1000PEPE", ["0.0052", "0.0000001", "1"], ["0.00000001", "1"], 120, 230, 4),
    ("1000SHIB", ["0.0094", "0.000001", "1"], ["0.00000001", "1"], 60, 190, 8),
    ("1000BONK", ["0.0125", "0.000001", "1"], ["0.00000001", "1"], 60, 230, 4),
    ("WIF", ["0.48", "0.0001", "0.1"], ["0.001", "0.01"], 60, 250, 4),
    ("NEAR", ["2.2", "0.001", "1"], ["0.001", "0.1"], 50, 190, 8),
    ("APT", ["3.1", "0.0001", "0.1"], ["0.01", "0.01"], 50, 190, 4),
    ("ARB", ["0.27", "0.0001", "0.1"], ["0.0001", "0.1"], 50, 190, 8),
    ("OP", ["0.41", "0.0001", "0.1"], ["0.001", "0.01"], 50, 190, 8),
    ("FIL", ["1.6", "0.001", "0.1"], ["0.001", "0.01"], 40, 170, 8),
    ("ATOM", ["2.9", "0.001", "0.01"], ["0.001", "0.01"], 40, 160, 8),
    ("ETC", ["15", "0.001", "0.01"], ["0.01", "0.01"], 40, 160, 8),
    ("UNI", ["7.5", "0.001", "1"], ["0.001", "0.01"], 40, 180, 8),
    ("AAVE", ["180", "0.01", "0.1"], ["0.01", "0.001"], 40, 190, 8),
    ("POL", ["0.16", "0.00001", "1"], ["0.0001", "0.1"], 40, 180, 4),
    ("INJ", ["6.9", "0.001", "0.1"], ["0.01", "0.01"], 40, 210, 4),
    ("TIA", ["0.72", "0.0001", "1"], ["0.0001", "0.01"], 40, 220, 4),
    ("HYPE", ["38", "0.001", "0.01"], ["0.001", "0.01"], 90, 230, 4),
    ("WLD", ["0.75", "0.0001", "1"], ["0.001", "0.1"], 40, 220, 4),
    ("SAND", ["0.19", "0.00001", "1"], ["0.0001", "1"], 30, 180, 8),
    ("XMR", ["390", "0.01", "0.001"], ["0.1", "0.001"], 30, 130, 8),
    ("ILV", ["9.2", "0.001", "0.1"], ["0.01", "0.001"], 30, 220, 8),
    ("CHR", ["0.07", "0.0001", "1"], ["0.0001", "1"], 30, 200, 8),
    ("NEO", ["5.1", "0.001", "0.01"], ["0.01", "0.01"], 30, 170, 8),
    ("YFI", ["4700", "1", "0.001"], ["1", "0.00001"], 30, 170, 8),
    ("KSM", ["11", "0.01", "0.1"], ["0.01", "0.001"], 30, 170, 8),
    ("MOVE", ["0.07", "0.0001", "0.1"], ["0.0001", "0.1"], 30, 260, 1),
];

/// The symbol of this name: a known one, or one drawn for the name.
#[must_use]
pub fn symbol(name: &str) -> SymbolSpec {
    let quote = ["USDC", "USDT"].into_iter().find(|quote| name.ends_with(quote)).unwrap_or("USDT");
    let base = name.strip_suffix(quote).filter(|base| !base.is_empty()).unwrap_or(name);
    match KNOWN.iter().find(|(known, ..)| *known == base) {
        Some(row) => from_row(name, quote, row),
        None => drawn(name, base, quote),
    }
}

/// The first `count` symbols of a list that begins with the known ones and goes on with names of
/// its own, `SIM1USDT` and so on.
#[must_use]
pub fn symbols(count: usize) -> Vec<SymbolSpec> {
    let known = KNOWN.iter().map(|(base, ..)| format!("{base}USDT"));
    let more = (1..).map(|number| format!("SIM{number}USDT"));
    known.chain(more).take(count).map(|name| symbol(&name)).collect()
}

/// The number of symbols known by name.
#[must_use]
pub const fn known_symbols() -> usize {
    KNOWN.len()
}

fn from_row(name: &str, quote: &str, row: &Row) -> SymbolSpec {
    let (base, [price, tick, lot], [spot_tick, spot_lot], thousands, volatility, hours) = row;
    SymbolSpec {
        symbol: name.to_owned(),
        base: (*base).to_owned(),
        quote: quote.to_owned(),
        price: a_price(units(price)),
        tick: a_price(units(tick)),
        lot: a_qty(units(lot)),
        trades_per_day: thousands * 1_000,
        volatility_percent: *volatility,
        funding_hours: *hours,
        spot: Some(spot(base, quote, a_price(units(spot_tick)), a_qty(units(spot_lot)))),
    }
}

/// A price of three digits between 0.001 and 1,000, a tick of a ten-thousandth of its power of ten.
fn drawn(name: &str, base: &str, quote: &str) -> SymbolSpec {
    let hash = key_of(0, name);
    let power = 10_i64.pow(u32::try_from(bits(hash, 0, 8) % 6).unwrap_or_default() + 5);
    let price = power / 100 * (100 + bits(hash, 8, 16) % 900);
    let tick = a_price((power / 1_000).max(1));
    // A lot is worth up to about one unit of the quote asset.
    let lot = a_qty(10_i64.pow((13 - price.ilog10()).clamp(5, 8)));
    SymbolSpec {
        symbol: name.to_owned(),
        base: base.to_owned(),
        quote: quote.to_owned(),
        price: a_price(price),
        tick,
        lot,
        trades_per_day: 15_000,
        volatility_percent: 150 + u16::try_from(bits(hash, 24, 7)).unwrap_or_default(),
        funding_hours: if bits(hash, 32, 1) == 0 { 8 } else { 4 },
        spot: (bits(hash, 33, 1) == 0).then(|| spot(base, quote, tick, lot)),
    }
}

fn spot(base: &str, quote: &str, tick: Price, lot: Qty) -> SpotSpec {
    let (multiplier, coin) = multiplier(base);
    SpotSpec { symbol: format!("{coin}{quote}"), base: coin.to_owned(), tick, lot, multiplier }
}

fn units(text: &str) -> i64 {
    parse_units(text.as_bytes()).unwrap_or_default()
}

fn a_price(units: i64) -> Price {
    Price::from_units(units).unwrap_or_default()
}

fn a_qty(units: i64) -> Qty {
    Qty::from_units(units).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_usable_steps() {
        for spec in symbols(700) {
            let name = &spec.symbol;
            assert!(spec.price.units() > 100 * spec.tick.units() && !spec.lot.is_zero(), "{name}");
            let lot = spec.price.notional(spec.lot).to_money().to_decimal();
            assert!(lot < 200.into(), "{name}: a lot is worth {lot}");
            if let Some(spot) = spec.spot {
                let price = spec.price.units() / i64::from(spot.multiplier);
                assert!(price >= 50 * spot.tick.units() && !spot.lot.is_zero(), "{name}");
            }
        }
    }

    #[test]
    fn a_multiplied_contract_has_the_coin_as_its_pair() {
        let spot = symbol("1000PEPEUSDT").spot.unwrap();
        assert_eq!((spot.symbol.as_str(), spot.multiplier), ("PEPEUSDT", 1_000));
        assert_eq!(symbol("BTCUSDC").spot.unwrap().symbol, "BTCUSDC");
    }
}
