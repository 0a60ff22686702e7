//! Price levels of a depth update, in vectors that are used again.
//!
//! Invariant: after a successful read the vectors hold exactly the levels of the text, in order.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::cursor::Cursor;
use crate::wire::message::{Fault, Level};
use crate::wire::text::{Flaw, Text, price, qty};

/// The levels of the update read last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    pub(super) bids: Vec<Level>,
    pub(super) asks: Vec<Level>,
}

/// Reads `[["price","qty"],…]`.
pub(crate) fn read(field: &'static str, raw: &RawValue, out: &mut Vec<Level>) -> Result<(), Flaw> {
    out.clear();
    if scan(raw.get().as_bytes(), out).is_some() {
        return Ok(());
    }
    out.clear();
    let mut flaw = None;
    let seed = Rows { field, out, flaw: &mut flaw };
    let read = seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
    match flaw {
        Some(flaw) => Err(flaw),
        None => read.map_err(|e| Flaw::new(field, Fault::Json(e.to_string().into_boxed_str()))),
    }
}

/// The levels without spaces or further elements, as the venue writes them.
fn scan(text: &[u8], out: &mut Vec<Level>) -> Option<()> {
    let mut c = Cursor::new(text);
    scan_at(&mut c, out)?;
    c.rest().is_empty().then_some(())
}

/// The same where they stand in a record; they are added to `out`.
#[inline]
pub(crate) fn scan_at(c: &mut Cursor<'_>, out: &mut Vec<Level>) -> Option<()> {
    if c.literal(b"[[\"").is_none() {
        return c.literal(b"[]");
    }
    loop {
        let price = c.price()?;
        c.literal(b",\"")?;
        out.push(Level { price, qty: c.qty()? });
        if c.literal(b"],[\"").is_none() {
            return c.literal(b"]]");
        }
    }
}

struct Rows<'s> {
    field: &'static str,
    out: &'s mut Vec<Level>,
    flaw: &'s mut Option<Flaw>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("price levels")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            let level =
                || Ok(Level { price: price(self.field, &row.0)?, qty: qty(self.field, &row.1)? });
            match level() {
                Ok(level) => self.out.push(level),
                Err(flaw) => {
                    *self.flaw = Some(flaw);
                    while rows.next_element::<IgnoredAny>()?.is_some() {}
                }
            }
        }
        Ok(())
    }
}

/// Price and quantity; older answers have a third element, which is ignored.
struct Row<'a>(Text<'a>, Text<'a>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Pair<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Pair<'a> {
            type Value = Row<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("price and quantity")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Row<'a>, A::Error> {
                let missing = |at| serde::de::Error::invalid_length(at, &"price and quantity");
                let price = row.next_element()?.ok_or_else(|| missing(0))?;
                let qty = row.next_element()?.ok_or_else(|| missing(1))?;
                while row.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Row(price, qty))
            }
        }
        d.deserialize_seq(Pair(std::marker::PhantomData))
    }
}
