//! Tests of the layers, the gates and the configuration.

mod config;
mod decisions;
mod layers;

use super::*;
use crate::strategy::Registry;

fn strategy(name: &str) -> LayeredScore {
    LayeredScore::parse(name, Registry::builtin_text(name).unwrap()).unwrap()
}

fn v51() -> LayeredScore {
    strategy("v51_baseline")
}

fn v52() -> LayeredScore {
    strategy("v52_8signals")
}
