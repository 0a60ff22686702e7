//! The store in memory keeps every promise of the contract.
#![allow(clippy::unwrap_used, reason = "tests")]

use arb_store::MemoryStore;

arb_store::contract!(|| async { ((), MemoryStore::new()) });
