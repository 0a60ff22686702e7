//! The standard normal distribution: probability below a value, and value below a probability.
//!
//! Invariant: bit-equal on every platform, because only `+ − × ÷ √` and the software functions of
//! `libm` are used.

/// Probability that a standard normal variable is below `x`.
///
/// By the complementary error function, which keeps its relative accuracy far into the left tail.
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    libm::erfc(-x / core::f64::consts::SQRT_2) / 2.0
}

/// The value below which a standard normal variable lies with probability `p`; absent outside
/// (0, 1).
///
/// Source: Wichura, *Algorithm AS 241: The Percentage Points of the Normal Distribution*, Applied
/// Statistics 37 (1988), routine PPND16, accurate to about one part in 10¹⁶.
#[must_use]
pub fn normal_quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let from_middle = p - 0.5;
    if from_middle.abs() <= 0.425 {
        let r = 0.180_625 - from_middle * from_middle;
        return Some(from_middle * ratio(&CENTRE, r));
    }
    let tail = if from_middle < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let x = if r <= 5.0 { ratio(&NEAR_TAIL, r - 1.6) } else { ratio(&FAR_TAIL, r - 5.0) };
    Some(if from_middle < 0.0 { -x } else { x })
}

/// Numerator and denominator of a rational function, highest power first.
type Rational = [[f64; 8]; 2];

#[expect(clippy::excessive_precision, reason = "as the source prints them")]
const CENTRE: Rational = [
    [
        2.509_080_928_730_122_672_7e3,
        3.343_057_558_358_812_810_5e4,
        6.726_577_092_700_870_085_3e4,
        4.592_195_393_154_987_145_7e4,
        1.373_169_376_550_946_112_5e4,
        1.971_590_950_306_551_442_7e3,
        1.331_416_678_917_843_774_5e2,
        3.387_132_872_796_366_608_0e0,
    ],
    [
        5.226_495_278_852_854_561_0e3,
        2.872_908_573_572_194_267_4e4,
        3.930_789_580_009_271_061_0e4,
        2.121_379_430_158_659_586_7e4,
        5.394_196_021_424_751_107_7e3,
        6.871_870_074_920_579_083_0e2,
        4.231_333_070_160_091_125_2e1,
        1.0,
    ],
];

#[expect(clippy::excessive_precision, reason = "as the source prints them")]
const NEAR_TAIL: Rational = [
    [
        7.745_450_142_783_414_076_40e-4,
        2.272_384_498_926_918_458_33e-2,
        2.417_807_251_774_506_117_70e-1,
        1.270_458_252_452_368_382_58e0,
        3.647_848_324_763_204_605_04e0,
        5.769_497_221_460_691_405_50e0,
        4.630_337_846_156_545_295_90e0,
        1.423_437_110_749_683_577_34e0,
    ],
    [
        1.050_750_071_644_416_843_24e-9,
        5.475_938_084_995_344_946_00e-4,
        1.519_866_656_361_645_719_66e-2,
        1.481_039_764_274_800_745_90e-1,
        6.897_673_349_851_000_045_50e-1,
        1.676_384_830_183_803_849_40e0,
        2.053_191_626_637_758_821_87e0,
        1.0,
    ],
];

#[expect(clippy::excessive_precision, reason = "as the source prints them")]
const FAR_TAIL: Rational = [
    [
        2.010_334_399_292_288_132_65e-7,
        2.711_555_568_743_487_578_15e-5,
        1.242_660_947_388_078_438_60e-3,
        2.653_218_952_657_612_309_30e-2,
        2.965_605_718_285_048_912_30e-1,
        1.784_826_539_917_291_335_80e0,
        5.463_784_911_164_114_369_90e0,
        6.657_904_643_501_103_777_20e0,
    ],
    [
        2.044_263_103_389_939_785_64e-15,
        1.421_511_758_316_445_888_70e-7,
        1.846_318_317_510_054_681_80e-5,
        7.868_691_311_456_132_591_00e-4,
        1.487_536_129_085_061_485_25e-2,
        1.369_298_809_227_358_053_10e-1,
        5.998_322_065_558_879_376_90e-1,
        1.0,
    ],
];

fn ratio([above, below]: &Rational, r: f64) -> f64 {
    let horner = |terms: &[f64; 8]| terms.iter().fold(0.0, |sum, term| sum * r + term);
    horner(above) / horner(below)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(actual: f64, expected: f64) -> bool {
        (actual / expected - 1.0).abs() < 1e-14
    }

    #[test]
    fn probabilities_equal_the_tables() {
        for (x, expected) in [
            (-8.0, 6.220_960_574_271_785e-16),
            (-3.0, 0.001_349_898_031_630_094_6),
            (-1.96, 0.024_997_895_148_220_435),
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (2.0, 0.977_249_868_051_820_8),
            (5.0, 0.999_999_713_348_428_1),
        ] {
            assert!(close(normal_cdf(x), expected), "{x}: {}", normal_cdf(x));
        }
    }

    #[test]
    fn quantiles_equal_the_tables_in_centre_and_tails() {
        for (p, expected) in [
            (1e-300, -37.047_096_299_361_2),
            (1e-10, -6.361_340_902_404_056),
            (1e-5, -4.264_890_793_922_825),
            (0.001, -3.090_232_306_167_813),
            (0.025, -1.959_963_984_540_054),
            (0.3, -0.524_400_512_708_040_7),
            (0.975, 1.959_963_984_540_053_6),
        ] {
            let actual = normal_quantile(p).unwrap();
            assert!(close(actual, expected), "{p}: {actual}");
        }
        assert_eq!(normal_quantile(0.5), Some(0.0));
        assert!([0.0, 1.0, -0.1, f64::NAN].map(normal_quantile).iter().all(Option::is_none));
    }

    proptest! {
        #[test]
        fn the_quantile_undoes_the_probability(x in -8.0..5.0_f64) {
            let back = normal_quantile(normal_cdf(x)).unwrap();
            prop_assert!((back - x).abs() < 1e-9 * (1.0 + x.abs()), "{x} came back as {back}");
        }
    }
}
