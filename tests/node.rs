//! The live node by its claims: it stands where it stood, whatever happened to it.

mod parity;
mod restart;
mod running;
mod support;
