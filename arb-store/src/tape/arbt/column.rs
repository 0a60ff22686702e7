//! One column of a block: numbers of 64 bits, cut into planes of bytes.
//!
//! Plane k holds byte k of every number, and each plane is a zstd frame of its own. So a plane of
//! small numbers gets a code of its own, a plane that is nearly all zeros costs nearly nothing, a
//! single large number costs one such plane and not a wider column, and putting numbers together
//! needs no branch, which is where varints lose their time.
//!
//! Invariant: unpacking gives exactly the numbers packed, and takes memory for the announced rows
//! only, whatever the bytes say.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::wire::{Bytes, Flaw, length, put_varint, unzigzag, zigzag};

/// Fast to write; higher levels gain a hundredth.
const LEVEL: i32 = 1;
/// Numbers put together at once; they stay in the nearest cache.
pub(super) const CHUNK: usize = 256;

/// Packs columns.
pub(super) struct Packer {
    zstd: Compressor<'static>,
    plane: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { zstd: Compressor::new(LEVEL)?, plane: Vec::new() })
    }

    /// Appends the numbers: number of planes, then length and bytes of each.
    pub(super) fn pack(&mut self, values: &[u64], out: &mut Vec<u8>) -> io::Result<()> {
        let used = values.iter().fold(0, |all, value| all | value);
        let planes = (u64::BITS - used.leading_zeros()).div_ceil(8);
        put_varint(planes.into(), out);
        for plane in 0..planes {
            self.plane.clear();
            self.plane.extend(values.iter().map(|value| (value >> (8 * plane)).to_le_bytes()[0]));
            let packed = self.zstd.compress(&self.plane)?;
            put_varint(length(packed.len()), out);
            out.extend_from_slice(&packed);
        }
        Ok(())
    }

    /// Appends numbers as differences, for rows of any kind: the first one, the greatest common
    /// divisor of the differences, then their quotients.
    pub(super) fn pack_deltas(&mut self, values: &[u64], out: &mut Vec<u8>) -> io::Result<()> {
        let first = values.first().copied().unwrap_or_default();
        let mut last = first;
        let mut deltas: Vec<i64> = Vec::with_capacity(values.len());
        for value in values {
            deltas.push(value.wrapping_sub(last).cast_signed());
            last = *value;
        }
        let unit = deltas.iter().fold(0, |unit, delta| gcd(unit, delta.unsigned_abs())).max(1);
        // A divisor above the largest signed number would make the quotient meaningless.
        let unit = i64::try_from(unit).unwrap_or(1);
        put_varint(first, out);
        put_varint(unit.cast_unsigned(), out);
        let scaled: Vec<u64> =
            deltas.iter().map(|delta| zigzag(delta.wrapping_div(unit))).collect();
        self.pack(&scaled, out)
    }
}

/// Greatest common divisor; the other number when one is zero.
pub(super) const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Unpacks columns.
pub(super) struct Unpacker {
    zstd: Decompressor<'static>,
}

impl Unpacker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { zstd: Decompressor::new()? })
    }

    /// Reads the planes of a column of `rows` numbers.
    pub(super) fn unpack(
        &mut self,
        bytes: &mut Bytes<'_>,
        rows: usize,
        column: &mut Column,
    ) -> Result<(), Flaw> {
        let planes = bytes.count()?;
        if planes > 8 {
            return Err(Flaw::of(format!("a column of {planes} bytes a number; 8 are allowed")));
        }
        column.rows = rows;
        column.planes.resize(rows * planes, 0);
        for plane in column.planes.chunks_exact_mut(rows.max(1)) {
            let packed_len = bytes.count()?;
            let packed = bytes.take(packed_len)?;
            let unpacked = self.zstd.decompress_to_buffer(packed, plane);
            match unpacked {
                Ok(count) if count == rows => {}
                Ok(count) => {
                    return Err(Flaw::of(format!("a column has {count} rows; {rows} are due")));
                }
                Err(error) => {
                    return Err(Flaw::of(format!("a column cannot be unpacked: {error}")));
                }
            }
        }
        Ok(())
    }

    /// Reads what [`Packer::pack_deltas`] wrote.
    pub(super) fn unpack_deltas(
        &mut self,
        bytes: &mut Bytes<'_>,
        rows: usize,
    ) -> Result<Vec<u64>, Flaw> {
        let (first, unit) = (bytes.varint()?, bytes.varint()?.cast_signed());
        let mut column = Column::default();
        self.unpack(bytes, rows, &mut column)?;
        let mut values = vec![0; rows];
        let mut last = first;
        for (at, chunk) in values.chunks_mut(CHUNK).enumerate() {
            column.read(at * CHUNK, chunk);
            for value in chunk {
                last = last.wrapping_add(unzigzag(*value).wrapping_mul(unit).cast_unsigned());
                *value = last;
            }
        }
        Ok(values)
    }
}

/// An unpacked column, its numbers still cut into planes.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    planes: Vec<u8>,
    rows: usize,
}

impl Column {
    /// The numbers from row `start` on, as many as `out` holds.
    #[inline]
    pub(super) fn read(&self, start: usize, out: &mut [u64]) {
        out.fill(0);
        let planes = self.planes.chunks_exact(self.rows.max(1));
        for (plane, shift) in planes.zip((0..64).step_by(8)) {
            let bytes = plane.get(start..).unwrap_or_default();
            for (value, byte) in out.iter_mut().zip(bytes) {
                *value |= u64::from(*byte) << shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_come_back(
            values in prop_oneof![
                proptest::collection::vec(any::<u64>(), 0..600),
                proptest::collection::vec(0..300_u64, 0..600),
                proptest::collection::vec((0..5_u64).prop_map(|v| v << 61), 0..9),
            ]
        ) {
            let (mut packer, mut unpacker) = (Packer::new().unwrap(), Unpacker::new().unwrap());
            let mut out = Vec::new();
            packer.pack_deltas(&values, &mut out).unwrap();
            packer.pack(&values, &mut out).unwrap();
            let mut bytes = Bytes::new(&out);
            let back = unpacker.unpack_deltas(&mut bytes, values.len()).unwrap();
            prop_assert_eq!(&back, &values);
            let mut column = Column::default();
            unpacker.unpack(&mut bytes, values.len(), &mut column).unwrap();
            let mut plain = vec![7; values.len()];
            column.read(0, &mut plain);
            prop_assert_eq!(&plain, &values);
            prop_assert!(bytes.end().is_ok());
        }
    }
}
