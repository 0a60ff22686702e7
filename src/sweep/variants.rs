//! The variants of a sweep: every combination of values, or so many drawn at random.
//!
//! Invariant: variants are distinct, each was accepted by its strategy before anything runs, and
//! the list follows from base file, parameters and seed alone. A variant is known by the hash of
//! its whole strategy text, so the same one is recognised in a later sweep.

use std::collections::BTreeSet;

use arb_core::{Registry, hash_of};
use serde_json::Value;

use super::error::{SweepError, usage};
use super::param::Param;

/// Draws in a row that give nothing new before a random search gives up.
const MAX_REPEATS: u32 = 10_000;

/// How variants are chosen from a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// All of them; the last parameter changes fastest.
    Grid,
    /// So many distinct ones, drawn uniformly.
    Random {
        /// How many.
        count: u64,
        /// Any number; each gives other draws.
        seed: u64,
    },
}

/// A strategy with some of its values replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Hash of `text`: what it is known by.
    pub key: String,
    /// The values, in the order of the parameters.
    pub values: Vec<Value>,
    /// The strategy's JSON text.
    pub text: String,
}

/// A strategy file and the parameters to vary.
#[derive(Clone, Debug)]
pub struct Space {
    file: String,
    base: Value,
    params: Vec<Param>,
}

impl Space {
    /// A space around the strategy `text` of `file`.
    ///
    /// # Errors
    /// A path that the strategy does not have or that is given twice, or no parameter at all.
    pub fn new(file: &str, text: &str, params: Vec<Param>) -> Result<Self, SweepError> {
        let mut base: Value = match serde_json::from_str(text) {
            Ok(base) => base,
            Err(e) => return usage(format!("{file}: {e}")),
        };
        if params.is_empty() {
            return usage("a sweep needs at least one --param PATH=VALUES");
        }
        let mut seen = BTreeSet::new();
        for param in &params {
            if !seen.insert(param.path.to_string()) {
                return usage(format!("{}: is given twice", param.path));
            }
            param.path.find(&mut base).or_else(|message| usage(format!("{file}: {message}")))?;
        }
        Ok(Self { file: file.to_owned(), base, params })
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The file of the base strategy.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The base strategy.
    #[must_use]
    pub const fn base(&self) -> &Value {
        &self.base
    }

    /// How many variants a search looks at; at most 2¹²⁸ − 1.
    #[must_use]
    pub fn size(&self, search: Search) -> u128 {
        let all = self.params.iter().map(|param| u128::from(param.count()));
        let all = all.fold(1_u128, u128::saturating_mul);
        match search {
            Search::Grid => all,
            Search::Random { count, .. } => all.min(count.into()),
        }
    }

    /// The variants, each accepted by its strategy.
    ///
    /// # Errors
    /// More than `cap` variants, a range without a step in a grid, fewer distinct variants than a
    /// random search asks for, or a value that the strategy refuses: the message names the path
    /// and what is allowed.
    pub fn variants(
        &self,
        search: Search,
        cap: u64,
        registry: &Registry,
    ) -> Result<Vec<Variant>, SweepError> {
        if let (Search::Grid, Some(param)) =
            (search, self.params.iter().find(|param| param.is_drawn_only()))
        {
            return usage(format!(
                "{param}: a grid needs a step, as in {param}/0.5; without one it is for --random N"
            ));
        }
        let size = self.size(search);
        if size > u128::from(cap) {
            return usage(format!(
                "{size} variants are more than {cap}; the more are tried, the better the best looks \
                 by luck: use larger steps or --random N, or allow it with --max-variants {size}"
            ));
        }
        let picks = match search {
            Search::Grid => self.grid(),
            Search::Random { count, seed } => self.draws(count, seed)?,
        };
        let mut known = BTreeSet::new();
        let mut variants = Vec::with_capacity(picks.len());
        for pick in picks {
            let variant = self.variant(&pick, registry)?;
            if known.insert(variant.key.clone()) {
                variants.push(variant);
            }
        }
        Ok(variants)
    }

    fn grid(&self) -> Vec<Vec<u64>> {
        let mut picks = vec![Vec::new()];
        for param in &self.params {
            let longer = picks.iter().flat_map(|pick: &Vec<u64>| {
                (0..param.count()).map(|index| {
                    let mut pick = pick.clone();
                    pick.push(index);
                    pick
                })
            });
            picks = longer.collect();
        }
        picks
    }

    fn draws(&self, count: u64, seed: u64) -> Result<Vec<Vec<u64>>, SweepError> {
        let all = self.size(Search::Grid);
        if count == 0 || u128::from(count) > all {
            return usage(format!("--random {count}: the ranges hold {all} variants"));
        }
        let mut random = SplitMix(seed);
        let mut seen = BTreeSet::new();
        let (mut picks, mut repeats) = (Vec::new(), 0);
        while (picks.len() as u64) < count && repeats < MAX_REPEATS {
            let draw = |param: &Param| random.next() % param.count();
            let pick: Vec<u64> = self.params.iter().map(draw).collect();
            if seen.insert(pick.clone()) {
                picks.push(pick);
                repeats = 0;
            } else {
                repeats += 1;
            }
        }
        if (picks.len() as u64) < count {
            return usage(format!("--random {count} of {all}: use the whole grid instead"));
        }
        Ok(picks)
    }

    fn variant(&self, pick: &[u64], registry: &Registry) -> Result<Variant, SweepError> {
        let mut json = self.base.clone();
        let values: Vec<Value> =
            self.params.iter().zip(pick).map(|(param, index)| param.value(*index)).collect();
        for (param, value) in self.params.iter().zip(&values) {
            let place = param.path.find(&mut json);
            *place.or_else(usage)? = value.clone();
        }
        let text = json.to_string();
        if let Err(e) = registry.build(&self.file, &text) {
            let told: Vec<String> = self
                .params
                .iter()
                .zip(&values)
                .map(|(param, value)| format!("{} = {value}", param.path))
                .collect();
            let (file, told) = (&self.file, told.join(", "));
            return usage(format!("{file} with {told}: {}: {}", e.field, e.message));
        }
        Ok(Variant { key: hash_of(text.as_bytes()), values, text })
    }
}

/// `SplitMix64` (Steele, Lea & Flood, *Fast Splittable Pseudorandom Number Generators*, 2014).
struct SplitMix(u64);

impl SplitMix {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(params: &[&str]) -> Result<Space, SweepError> {
        let text = Registry::builtin_text("v52_8signals").unwrap();
        let params = params.iter().map(|param| param.parse().unwrap()).collect();
        Space::new("v52_8signals.json", text, params)
    }

    fn variants(params: &[&str], search: Search) -> Result<Vec<Variant>, SweepError> {
        space(params)?.variants(search, 1_000, &Registry::builtin())
    }

    fn refusal(params: &[&str], search: Search) -> String {
        variants(params, search).unwrap_err().to_string()
    }

    #[test]
    fn a_grid_holds_every_combination_once_and_the_last_parameter_changes_fastest() {
        let grid =
            variants(&["threshold=70..80/5", "exits.stop_atr=[2,3,3]"], Search::Grid).unwrap();
        let values: Vec<String> = grid
            .iter()
            .map(|variant| format!("{} {}", variant.values[0], variant.values[1]))
            .collect();
        assert_eq!(values, ["70 2", "70 3", "75 2", "75 3", "80 2", "80 3"]);
        let text: Value = serde_json::from_str(&grid[5].text).unwrap();
        assert_eq!((&text["threshold"], &text["exits"]["stop_atr"]), (&80.into(), &3.into()));
    }

    #[test]
    fn a_random_search_draws_distinct_variants_that_follow_from_the_seed() {
        let draw = |seed| {
            let search = Search::Random { count: 12, seed };
            variants(&["threshold=70.0..80.0", "cool_down_minutes=5..15"], search).unwrap()
        };
        let keys: BTreeSet<String> = draw(1).into_iter().map(|variant| variant.key).collect();
        assert_eq!(keys.len(), 12);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let few = Search::Random { count: 3, seed: 1 };
        assert_eq!(variants(&["exits.stop_atr=[1,2,3]"], few).unwrap().len(), 3);
    }

    #[test]
    fn what_the_strategy_refuses_is_refused_before_anything_runs() {
        assert_eq!(
            refusal(&["exits.stop_atr=0..2/1"], Search::Grid),
            "v52_8signals.json with exits.stop_atr = 0: exits.stop_atr: is 0; above 0 to 100 is allowed"
        );
        let message = refusal(&["weights.directon=[40]"], Search::Grid);
        assert!(message.contains("weights.directon: the strategy has no \"directon\" there"));
        assert!(message.contains("acceleration, auxiliary, confirmation"), "{message}");
        assert!(refusal(&["cool_down_minutes=[1.5]"], Search::Grid).contains("cool_down_minutes"));
        assert!(refusal(&["threshold=[70]", "threshold=[75]"], Search::Grid).contains("twice"));
        assert!(refusal(&[], Search::Grid).contains("at least one --param"));
    }

    #[test]
    fn too_many_variants_need_a_word() {
        let message = refusal(&["threshold=70..80/0.001"], Search::Grid);
        assert!(message.contains("10001 variants are more than 1000"), "{message}");
        assert!(message.contains("--max-variants 10001"));
        assert!(refusal(&["threshold=70.0..80.0"], Search::Grid).contains("a grid needs a step"));
        let search = Search::Random { count: 4, seed: 1 };
        assert!(refusal(&["threshold=[70,75]"], search).contains("hold 2 variants"));
    }
}
