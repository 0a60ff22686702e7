//! Numbers and texts as bytes, and back.
//!
//! Invariant: reading never goes past the end, never allocates more than the bytes at hand and
//! accepts one spelling of each number only, so that a damaged file is an error and nothing worse.

/// What is wrong with bytes, before file, block and offset are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw(pub(super) String);

impl Flaw {
    #[cold]
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

const LOW: u64 = 0x7F;

/// Appends seven bits a byte, the lowest first.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value > LOW {
        out.push((value & LOW).to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a text with its length before it.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    put_varint(length(text.len()), out);
    out.extend_from_slice(text.as_bytes());
}

/// A length as it is written.
pub(super) fn length(len: usize) -> u64 {
    len.try_into().unwrap_or(u64::MAX)
}

/// A signed number as an unsigned one that is small when the number is near zero.
#[inline]
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Bytes that are read from the front.
#[derive(Clone, Debug)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Flaw> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let left = self.rest.len();
            return Err(Flaw::of(format!("{count} bytes are announced but {left} are left")));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| Flaw::of("ends too early"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Flaw> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Flaw> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Flaw> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte) & LOW;
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Flaw::of("a number is not written in its one short form of at most 64 bits"))
    }

    /// A varint that counts things in memory.
    pub(super) fn count(&mut self) -> Result<usize, Flaw> {
        let value = self.varint()?;
        usize::try_from(value).map_err(|_| Flaw::of(format!("a length of {value} is absurd")))
    }

    pub(super) fn text(&mut self) -> Result<String, Flaw> {
        let count = self.count()?;
        let text = std::str::from_utf8(self.take(count)?);
        text.map(str::to_owned).map_err(|_| Flaw::of("a text is not UTF-8"))
    }

    /// Refuses bytes behind the last field.
    pub(super) fn end(&self) -> Result<(), Flaw> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Flaw::of(format!("{left} bytes follow the last field"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, signed: i64, text in ".{0,20}") {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            put_text(&text, &mut out);
            let mut bytes = Bytes::new(&out);
            prop_assert_eq!(bytes.varint().unwrap(), value);
            prop_assert_eq!(bytes.text().unwrap(), text);
            prop_assert!(bytes.end().is_ok());
            prop_assert_eq!(unzigzag(zigzag(signed)), signed);
        }

        #[test]
        fn a_number_has_one_form(bytes in proptest::collection::vec(any::<u8>(), 1..12)) {
            let mut input = Bytes::new(&bytes);
            if let Ok(value) = input.varint() {
                let mut again = Vec::new();
                put_varint(value, &mut again);
                prop_assert_eq!(&bytes[..again.len()], &again[..]);
                prop_assert_eq!(input.rest.len(), bytes.len() - again.len());
            }
        }
    }
}
