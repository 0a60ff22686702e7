//! Noise that can be asked for at any second.
//!
//! Invariant: a value is a function of (key, second) alone, made of integers, so it is the same on
//! every machine and a moment of last month costs as much as the next one. The path is value noise
//! (Perlin, *An Image Synthesizer*, 1985): octaves of double period whose nodes are hashes, joined
//! by straight lines. With amplitudes that grow by √2 an octave it moves like a random walk up to
//! the longest period and stays in a band beyond it. All nodes lie on whole seconds, so within a
//! second the path is a straight line.

/// One, in values of 32 binary places.
pub(crate) const ONE: i64 = 1 << 32;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A hash of a key and a number: the output function of `SplitMix64`.
#[inline]
pub(crate) const fn mix(key: u64, number: i64) -> u64 {
    let state = key.wrapping_add(number.cast_unsigned().wrapping_mul(GOLDEN));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A key derived from a text.
pub(crate) fn key_of(seed: u64, text: &str) -> u64 {
    text.bytes().fold(mix(seed, 1), |key, byte| mix(key, i64::from(byte)))
}

/// Some bits of a hash as a number that is never negative; `count` is at most 62.
#[inline]
pub(crate) const fn bits(hash: u64, from: u32, count: u32) -> i64 {
    ((hash >> from) & ((1 << count) - 1)).cast_signed()
}

/// Uniform in ±`amplitude`.
#[inline]
pub(crate) const fn spread(hash: u64, amplitude: i64) -> i64 {
    ((bits(hash, 33, 31) - (1 << 30)) * amplitude) >> 30
}

/// Octaves of noise about zero, in units of [`ONE`].
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    octaves: Vec<Octave>,
}

#[derive(Clone, Copy, Debug)]
struct Octave {
    key: u64,
    /// Log₂ of the period in seconds.
    shift: u32,
    amplitude: i64,
}

impl Octave {
    fn node(&self, index: i64) -> i64 {
        spread(mix(self.key, index), self.amplitude)
    }
}

/// Where a noise was asked last: its nodes there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    index: i64,
    from: i64,
    to: i64,
}

impl Noise {
    /// Octaves with periods of 2^`shifts` seconds. The first has this amplitude; each next one √2
    /// times that of the one before, up to 2^17 s, a day and a half.
    pub(crate) fn new(key: u64, shifts: std::ops::RangeInclusive<u32>, amplitude: i64) -> Self {
        let first = *shifts.start();
        let octaves = shifts.map(|shift| {
            let steps = shift.min(17).saturating_sub(first);
            let doubled = amplitude << (steps / 2);
            // √2 in 30 binary places.
            let amplitude = if steps % 2 == 1 { (doubled * 1_518_500_250) >> 30 } else { doubled };
            Octave { key: mix(key, i64::from(shift)), shift, amplitude }
        });
        Self { octaves: octaves.collect() }
    }

    /// The value at a second.
    pub(crate) fn at(&self, second: i64) -> i64 {
        let value = |octave: &Octave| {
            let index = second >> octave.shift;
            let (from, to) = (octave.node(index), octave.node(index + 1));
            join(Span { index, from, to }, octave.shift, second)
        };
        self.octaves.iter().map(value).sum()
    }

    /// The value at a second near the last one asked with this cursor.
    #[inline]
    pub(crate) fn near(&self, cursor: &mut Cursor, second: i64) -> i64 {
        if cursor.spans.len() != self.octaves.len() {
            let unknown = Span { index: i64::MIN, from: 0, to: 0 };
            cursor.spans = vec![unknown; self.octaves.len()];
        }
        let mut sum = 0;
        for (octave, span) in self.octaves.iter().zip(&mut cursor.spans) {
            let index = second >> octave.shift;
            if index != span.index {
                let follows = index == span.index.wrapping_add(1);
                let from = if follows { span.to } else { octave.node(index) };
                *span = Span { index, from, to: octave.node(index + 1) };
            }
            sum += join(*span, octave.shift, second);
        }
        sum
    }
}

#[inline]
const fn join(span: Span, shift: u32, second: i64) -> i64 {
    let passed = second & ((1 << shift) - 1);
    span.from + (((span.to - span.from) * passed) >> shift)
}

/// Sizes as multiples of a median of 256: the quantiles of a log-normal with deviation 1.6 at 4,096
/// equal steps, so that a uniform hash draws a size with a heavy tail.
pub(crate) fn sizes() -> Vec<i64> {
    (0..4_096_i32)
        .map(|step| {
            let probability = (f64::from(step) + 0.5) / 4_096.0;
            whole(256.0 * libm::exp(1.6 * normal_quantile(probability)))
        })
        .collect()
}

/// Acklam's rational approximation of the normal quantile, relative error below 1.2 × 10⁻⁹.
fn normal_quantile(p: f64) -> f64 {
    const TAIL: f64 = 0.024_25;
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < TAIL {
        let q = libm::sqrt(-2.0 * libm::log(p));
        let upper = [
            -7.784_894_002_430_293e-3,
            -3.223_964_580_411_365e-1,
            -2.400_758_277_161_838,
            -2.549_732_539_343_734,
            4.374_664_141_464_968,
            2.938_163_982_698_783,
        ];
        let lower = [
            7.784_695_709_041_462e-3,
            3.224_671_290_700_398e-1,
            2.445_134_137_142_996,
            3.754_408_661_907_416,
            1.0,
        ];
        return polynomial(&upper, q) / polynomial(&lower, q);
    }
    let q = p - 0.5;
    let square = q * q;
    let upper = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    let lower = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    polynomial(&upper, square) * q / polynomial(&lower, square)
}

/// Highest power first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[expect(clippy::cast_possible_truncation, reason = "rounding toward zero is what it is for")]
const fn whole(x: f64) -> i64 {
    x as i64
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_gives_what_random_access_gives() {
        let noise = Noise::new(7, 0..=21, 1_000);
        let mut cursor = Cursor::default();
        for second in (1_700_000_000..1_700_005_000).chain([1_699_990_000, 1_800_000_000]) {
            assert_eq!(noise.near(&mut cursor, second), noise.at(second), "{second}");
        }
    }

    #[test]
    fn steps_grow_with_the_root_of_time_and_the_band_is_bounded() {
        let noise = Noise::new(3, 0..=21, 1 << 16);
        let moves = |apart: i64| {
            let squares = (0..4_000).map(|n| {
                let (from, to) = (noise.at(n * 977), noise.at(n * 977 + apart));
                ((to - from) as f64).powi(2)
            });
            (squares.sum::<f64>() / 4_000.0).sqrt()
        };
        let ratio = moves(1_600) / moves(16);
        assert!((6.0..16.0).contains(&ratio), "a hundredfold time moves {ratio} times as far");
        let widest = (0..10_000).map(|n| noise.at(n * 3_000).abs()).max().unwrap();
        assert!(widest < 3_000 << 16, "{widest}");
    }

    #[test]
    fn sizes_have_the_quantiles_of_a_log_normal() {
        let sizes = sizes();
        assert!(
            sizes.is_sorted() && sizes[2_047] == 255 && sizes[2_048] == 256,
            "{}",
            sizes[2_047]
        );
        let p95 = sizes[4_096 * 95 / 100] as f64 / 256.0;
        assert!((p95.ln() / 1.6 - 1.645).abs() < 0.01, "{p95}");
    }
}
