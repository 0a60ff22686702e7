//! Any bytes as a tape and as the inside of its blocks: an answer or an error, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| arb_store::tape::fuzz_arbt(data));
