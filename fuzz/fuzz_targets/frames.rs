//! Any bytes as a frame of every stream and the body of every answer: scanner and parser agree,
//! never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| arb_binance::fuzz_frame(data));
