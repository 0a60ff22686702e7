//! Any bytes as a strategy file: a strategy or an error that names file and line, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| arb_core::fuzz_strategy_json(data));
