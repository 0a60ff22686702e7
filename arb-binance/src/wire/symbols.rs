//! Which instrument a symbol means.
//!
//! Invariant: a lookup answers only to exactly the bytes a symbol was entered with. Symbols of up
//! to 16 bytes, nearly all there are, lie in one open-addressed table keyed by two words, because
//! every frame needs one lookup.

use std::collections::BTreeMap;

use arb_core::InstrumentId;

/// A symbol of at most 16 bytes as two words, unused bytes zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SymbolKey {
    low: u64,
    high: u64,
    len: usize,
}

impl SymbolKey {
    #[inline]
    pub(super) const fn new(low: u64, high: u64, len: usize) -> Self {
        Self { low, high, len }
    }

    fn of(symbol: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..symbol.len())?.copy_from_slice(symbol);
        let [low, high] = [0, 8].map(|at| bytes.get(at..).and_then(<[u8]>::first_chunk::<8>));
        Some(Self {
            low: u64::from_le_bytes(*low?),
            high: u64::from_le_bytes(*high?),
            len: symbol.len(),
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: SymbolKey,
    instrument: InstrumentId,
}

/// The instruments of one market by their symbols, built once.
///
/// ```
/// use arb_binance::wire::SymbolTable;
/// use arb_core::InstrumentId;
///
/// let symbols = SymbolTable::new([("BTCUSDT", InstrumentId(0)), ("ETHUSDT", InstrumentId(1))]);
/// assert_eq!(symbols.get(b"ETHUSDT"), Some(InstrumentId(1)));
/// assert_eq!(symbols.get(b"ETHUSD"), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    slots: Vec<Option<Slot>>,
    /// What a hash is shifted by to index `slots`.
    shift: u32,
    long: BTreeMap<Vec<u8>, InstrumentId>,
}

impl SymbolTable {
    /// A table of these symbols; of equal ones the last counts.
    #[must_use]
    pub fn new<'a>(symbols: impl IntoIterator<Item = (&'a str, InstrumentId)>) -> Self {
        let symbols: Vec<_> = symbols.into_iter().collect();
        let bits = (symbols.len() * 4).next_power_of_two().max(8).trailing_zeros();
        let mut table =
            Self { slots: vec![None; 1 << bits], shift: 64 - bits, long: BTreeMap::new() };
        for (symbol, instrument) in symbols {
            table.insert(symbol.as_bytes(), instrument);
        }
        table
    }

    fn insert(&mut self, symbol: &[u8], instrument: InstrumentId) {
        let Some(key) = SymbolKey::of(symbol) else {
            self.long.insert(symbol.to_vec(), instrument);
            return;
        };
        let mut at = self.home(key);
        // A quarter of the slots is used at most, so the search ends.
        while self.slots.get(at).copied().flatten().is_some_and(|slot| slot.key != key) {
            at = (at + 1) & (self.slots.len() - 1);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(Slot { key, instrument });
        }
    }

    /// The instrument with this symbol.
    #[must_use]
    pub fn get(&self, symbol: &[u8]) -> Option<InstrumentId> {
        match SymbolKey::of(symbol) {
            Some(key) => self.find(key),
            None => self.long.get(symbol).copied(),
        }
    }

    #[inline]
    pub(super) fn find(&self, key: SymbolKey) -> Option<InstrumentId> {
        let mut at = self.home(key);
        loop {
            let slot = self.slots.get(at).copied().flatten()?;
            if slot.key == key {
                return Some(slot.instrument);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "shifted to the few bits of an index")]
    fn home(&self, key: SymbolKey) -> usize {
        let mixed = (key.low ^ key.high.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed.checked_shr(self.shift).unwrap_or_default() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_is_found_and_no_other() {
        let names: Vec<String> =
            (0..700).map(|n| format!("{}{}USDT", "X".repeat(n % 23), n)).collect();
        let ids = names.iter().zip(0..).map(|(name, id)| (name.as_str(), InstrumentId(id)));
        let table = SymbolTable::new(ids);
        for (name, id) in names.iter().zip(0..) {
            assert_eq!(table.get(name.as_bytes()), Some(InstrumentId(id)), "{name}");
            assert_eq!(table.get(format!("{name}\0").as_bytes()), None, "{name}");
            assert_eq!(table.get(&name.as_bytes()[1..]), None, "{name}");
        }
        assert_eq!(table.get(b""), None);
        assert_eq!(SymbolTable::default().get(b"BTCUSDT"), None);
        assert_eq!(SymbolTable::default().get("币安人生币安人生USDT".as_bytes()), None);
    }
}
