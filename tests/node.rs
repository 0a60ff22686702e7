//! The live node by its claims: it stands where it stood, whatever happened to it.

#[cfg(feature = "live")]
mod backup;
#[cfg(feature = "desk")]
mod desk;
mod hand;
#[cfg(feature = "sqlite")]
mod kill;
mod paper;
mod parity;
mod restart;
mod running;
mod support;
mod trouble;
