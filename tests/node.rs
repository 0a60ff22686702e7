//! The live node by its claims: it stands where it stood, whatever happened to it.

#[cfg(feature = "live")]
mod backup;
#[cfg(feature = "sqlite")]
mod kill;
mod parity;
mod restart;
mod running;
mod support;
