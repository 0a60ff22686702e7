//! Which variant is better, and what the rank is worth.
//!
//! Invariant: an order is total and the same everywhere; equal variants keep the order of the
//! space, and what has no value comes last.

use std::cmp::Ordering;

use super::state::State;
use super::{Figures, Sweep, Variant};

/// A variant's figures over several blocks, added up.
pub(super) fn over(state: &State, variant: &Variant, blocks: std::ops::Range<usize>) -> Figures {
    let mut sum = Figures::default();
    let results = blocks.filter_map(|block| state.result(&variant.key, block));
    results.for_each(|figures| sum.merge(figures));
    sum
}

/// Indexes of values from the best to the worst.
pub(super) fn order(values: &[Option<f64>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let value = |index: &usize| values.get(*index).copied().flatten();
    order.sort_by(|a, b| match (value(a), value(b)) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    order
}

/// The variants' values of the rank metric over blocks.
pub(super) fn values(
    sweep: &Sweep<'_>,
    state: &State,
    blocks: std::ops::Range<usize>,
) -> Vec<Option<f64>> {
    let value = |variant| sweep.rank_by.of(&over(state, variant, blocks.clone()));
    sweep.variants.iter().map(value).collect()
}

/// The best variant over the train spans of the last fold; none when no variant has a value.
pub(super) fn best<'a>(sweep: &Sweep<'a>, state: &State) -> Option<&'a Variant> {
    let last = sweep.plan.blocks.len().saturating_sub(1);
    let values = values(sweep, state, 0..last);
    let first = *order(&values).first()?;
    values.get(first).copied().flatten().and_then(|_| sweep.variants.get(first))
}

/// Spearman's rank correlation of two lists, over the places where both have a value; ties share
/// their mean rank. Absent below three places or without variation.
///
/// Source: Spearman, *The Proof and Measurement of Association between Two Things*, 1904.
pub(super) fn rank_correlation(a: &[Option<f64>], b: &[Option<f64>]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = a.iter().zip(b).filter_map(|(a, b)| a.zip(*b)).collect();
    if pairs.len() < 3 {
        return None;
    }
    let left = ranks(&pairs.iter().map(|(a, _)| *a).collect::<Vec<_>>());
    let right = ranks(&pairs.iter().map(|(_, b)| *b).collect::<Vec<_>>());
    correlation(&left, &right)
}

/// Ranks from 0, ties sharing their mean.
#[expect(clippy::cast_precision_loss, reason = "a count of variants")]
fn ranks(values: &[f64]) -> Vec<f64> {
    let place = |x: &f64| {
        let below = values.iter().filter(|y| y.total_cmp(x) == Ordering::Less).count();
        let equal = values.iter().filter(|y| y.total_cmp(x) == Ordering::Equal).count();
        below as f64 + (equal - 1) as f64 / 2.0
    };
    values.iter().map(place).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a count of variants")]
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_keep_their_order_and_absent_ones_come_last() {
        let values = [None, Some(1.0), Some(2.0), None, Some(2.0), Some(-1.0)];
        assert_eq!(order(&values), [2, 4, 1, 5, 0, 3]);
    }

    #[test]
    fn rank_correlation_sees_order_and_nothing_else() {
        let list = |values: &[f64]| values.iter().map(|x| Some(*x)).collect::<Vec<_>>();
        let up = list(&[1.0, 2.0, 3.0, 100.0]);
        assert_eq!(rank_correlation(&up, &list(&[0.0, 5.0, 6.0, 7.0])), Some(1.0));
        assert_eq!(rank_correlation(&up, &list(&[4.0, 3.0, 2.0, -9.0])), Some(-1.0));
        // Ranks 0 1 2 3 against 0.5 0.5 2 3: 4.5 ÷ √(5 · 4.5).
        let tied = rank_correlation(&up, &list(&[1.0, 1.0, 2.0, 3.0])).unwrap();
        assert!((tied - 4.5 / 22.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(rank_correlation(&up, &list(&[1.0; 4])), None);
        assert_eq!(rank_correlation(&up[..2], &up[..2]), None);
    }
}
