//! Any bytes as a file of the public archive: an answer or an error, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| arb_store::tape::fuzz_csv(data));
