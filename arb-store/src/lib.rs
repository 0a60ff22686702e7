//! Stores, and recorded market data read as engine events.
//!
//! Feature `tape` (default): readers of the public archive formats and their merge into one
//! ordered [`tape::Tape`]. It needs no database and no runtime.
//!
//! Feature `sqlite`: the embedded store, one file. Feature `memory`: a store that forgets. Both
//! pass the claims of feature `contract`.

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(any(feature = "memory", feature = "sqlite"))]
mod inputs;
#[cfg(feature = "memory")]
mod memory;
#[cfg(any(feature = "memory", feature = "sqlite"))]
mod project;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "tape")]
pub mod tape;

#[cfg(feature = "memory")]
pub use self::memory::MemoryStore;
