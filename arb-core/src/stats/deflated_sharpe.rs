//! How much of the best Sharpe ratio of many tries is luck.
//!
//! Invariant: every ratio here is per period of the returns, never annualised: the formulas hold
//! only in that unit. What cannot be computed is absent, never zero.
//!
//! Source: Bailey & López de Prado, *The Deflated Sharpe Ratio: Correcting for Selection Bias,
//! Backtest Overfitting and Non-Normality*, Journal of Portfolio Management 40 (2014).

use serde::Serialize;

use super::normal::{normal_cdf, normal_quantile};

/// The Euler-Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// Power sums of returns, from which every moment follows; those of parts of a series add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Returns seen.
    pub count: u64,
    /// Σ x, Σ x², Σ x³, Σ x⁴.
    pub sums: [f64; 4],
}

impl Moments {
    /// Adds one return.
    pub fn add(&mut self, x: f64) {
        self.count += 1;
        let square = x * x;
        for (sum, power) in self.sums.iter_mut().zip([x, square, square * x, square * square]) {
            *sum += power;
        }
    }

    /// Adds the returns of another part of the series.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of returns")]
    const fn n(&self) -> f64 {
        self.count as f64
    }

    /// Mean; absent without returns.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sums[0] / self.n())
    }

    /// Central moments of order 2, 3 and 4 (dividing by n); absent without variation.
    fn central(&self) -> Option<[f64; 3]> {
        let mean = self.mean()?;
        let [_, second, third, fourth] = self.sums.map(|sum| sum / self.n());
        let square = mean * mean;
        let variance = second - square;
        // Sums of equal returns cancel down to their rounding, which is no variation.
        (variance > second * 1e-14).then(|| {
            let skewed = third - 3.0 * mean * second + 2.0 * mean * square;
            let tailed =
                fourth - 4.0 * mean * third + 6.0 * square * second - 3.0 * square * square;
            [variance, skewed, tailed]
        })
    }

    /// Mean ÷ sample deviation (n − 1), per period; absent without variation.
    #[must_use]
    pub fn sharpe(&self) -> Option<f64> {
        let [variance, ..] = self.central()?;
        let sample = variance * self.n() / (self.n() - 1.0);
        Some(self.mean()? / sample.sqrt())
    }

    /// Third standardised moment, 0 for a normal distribution; absent without variation.
    #[must_use]
    pub fn skewness(&self) -> Option<f64> {
        let [variance, skewed, _] = self.central()?;
        Some(skewed / (variance * variance.sqrt()))
    }

    /// Fourth standardised moment, 3 for a normal distribution; absent without variation.
    #[must_use]
    pub fn kurtosis(&self) -> Option<f64> {
        let [variance, _, tailed] = self.central()?;
        Some(tailed / (variance * variance))
    }

    /// Probability (0 to 1) that the true Sharpe ratio is above `benchmark`, given the length,
    /// skewness and kurtosis of the returns: the probabilistic Sharpe ratio.
    ///
    /// Absent below two returns, without variation, and where the moments leave no variance.
    #[must_use]
    pub fn probability_above(&self, benchmark: f64) -> Option<f64> {
        let (sharpe, skewness, kurtosis) = (self.sharpe()?, self.skewness()?, self.kurtosis()?);
        let spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
        let score = (sharpe - benchmark) * (self.n() - 1.0).sqrt() / spread.sqrt();
        (spread > 0.0).then(|| normal_cdf(score))
    }
}

/// The largest Sharpe ratio to be expected of `trials` tries without any edge, per period, when
/// the ratios of the tries have this variance; 0 for a single try.
#[must_use]
pub fn expected_max_sharpe(variance: f64, trials: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of trials")]
    let n = trials as f64;
    let quantile = |share: f64| normal_quantile(1.0 - share).unwrap_or(0.0);
    if trials < 2 {
        return 0.0;
    }
    let (first, second) = (quantile(1.0 / n), quantile(1.0 / (n * core::f64::consts::E)));
    variance.sqrt() * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)
}

/// The best Sharpe ratio of several tries, judged against what luck alone would give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DeflatedSharpe {
    /// Tries, all of them.
    pub trials: u64,
    /// Sample variance of the tries' Sharpe ratios, those without a ratio left out.
    pub variance: f64,
    /// Expected largest ratio of so many tries without an edge, per period.
    pub benchmark: f64,
    /// The judged ratio, per period.
    pub sharpe: f64,
    /// Returns behind it.
    pub returns: u64,
    /// Their skewness.
    pub skewness: f64,
    /// Their kurtosis, 3 for a normal distribution.
    pub kurtosis: f64,
    /// Probability (0 to 1) that the true ratio is above the benchmark.
    pub probability: f64,
}

impl DeflatedSharpe {
    /// Judges the returns `best`, chosen among `trials` tries with these Sharpe ratios.
    ///
    /// Tries that never traded have no ratio: they count as tries and not in the variance. Absent
    /// when the judged returns have no ratio themselves.
    ///
    /// ```
    /// use arb_core::stats::{DeflatedSharpe, Moments};
    ///
    /// let mut returns = Moments::default();
    /// (0..1_000).for_each(|i| returns.add(if i % 2 == 0 { 1.1 } else { -1.0 }));
    /// let alone = DeflatedSharpe::new(&returns, 1, &[]).ok_or("no ratio")?;
    /// let of_many = DeflatedSharpe::new(&returns, 100, &[-0.05, 0.0, 0.05]).ok_or("no ratio")?;
    /// assert!(alone.probability > 0.9 && of_many.probability < 0.1);
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn new(best: &Moments, trials: u64, sharpes: &[f64]) -> Option<Self> {
        let mut spread = Moments::default();
        sharpes.iter().for_each(|sharpe| spread.add(*sharpe));
        let variance = spread
            .central()
            .map_or(0.0, |[variance, ..]| variance * spread.n() / (spread.n() - 1.0));
        let benchmark = expected_max_sharpe(variance, trials);
        Some(Self {
            trials,
            variance,
            benchmark,
            sharpe: best.sharpe()?,
            returns: best.count,
            skewness: best.skewness()?,
            kurtosis: best.kurtosis()?,
            probability: best.probability_above(benchmark)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns with the moments of the paper's example cannot be written down, so the example is
    /// checked through its formula.
    fn paper_example(trials: u64, skewness: f64, kurtosis: f64) -> (f64, f64) {
        let (sharpe, benchmark) =
            (2.5 / 250.0_f64.sqrt(), expected_max_sharpe(0.5 / 250.0, trials));
        let spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
        (benchmark, normal_cdf((sharpe - benchmark) * 1249.0_f64.sqrt() / spread.sqrt()))
    }

    #[test]
    fn the_example_of_the_paper_comes_out() {
        let (benchmark, probability) = paper_example(100, -3.0, 10.0);
        assert!((benchmark - 0.1132).abs() < 5e-5, "{benchmark}");
        assert!((probability - 0.9004).abs() < 5e-5, "{probability}");
        assert!((paper_example(46, -3.0, 10.0).1 - 0.9505).abs() < 5e-5);
        assert!(paper_example(88, 0.0, 3.0).1 > 0.95);
    }

    #[test]
    fn moments_equal_the_definitions_and_parts_add_up() {
        let returns = [1.0, 2.0, 2.0, 3.0, 7.0, -1.0];
        let (mut whole, mut left, mut right) =
            (Moments::default(), Moments::default(), Moments::default());
        returns.iter().for_each(|x| whole.add(*x));
        returns[..2].iter().for_each(|x| left.add(*x));
        returns[2..].iter().for_each(|x| right.add(*x));
        left.merge(&right);
        assert_eq!(left, whole);
        let (n, mean) = (6.0, 14.0 / 6.0);
        let central = |k: i32| returns.iter().map(|x: &f64| (x - mean).powi(k)).sum::<f64>() / n;
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-12;
        assert!(close(whole.mean(), mean));
        assert!(close(whole.sharpe(), mean / (central(2) * n / 5.0).sqrt()));
        assert!(close(whole.skewness(), central(3) / central(2).powf(1.5)));
        assert!(close(whole.kurtosis(), central(4) / central(2).powi(2)));
    }

    #[test]
    fn returns_without_variation_have_no_ratio() {
        let mut flat = Moments::default();
        assert_eq!((flat.mean(), flat.sharpe()), (None, None));
        (0..100).for_each(|_| flat.add(0.1));
        assert_eq!((flat.sharpe(), flat.probability_above(0.0)), (None, None));
        assert_eq!(DeflatedSharpe::new(&flat, 3, &[0.1, 0.2]), None);
    }

    #[test]
    fn more_tries_lower_the_probability_and_one_try_changes_nothing() {
        let mut returns = Moments::default();
        (0..400).for_each(|i| returns.add(if i % 5 < 3 { 1.0 } else { -1.2 }));
        let judged = |trials| {
            DeflatedSharpe::new(&returns, trials, &[0.0, 0.05, 0.1, -0.05]).unwrap().probability
        };
        assert_eq!(Some(judged(1)), returns.probability_above(0.0));
        assert!(judged(1) > judged(2) && judged(2) > judged(10) && judged(10) > judged(1000));
    }
}
