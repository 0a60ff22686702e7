//! The bodies of answers and of stream messages, from what the ports tell.
//!
//! Invariant: these functions are pure: a body is a function of a view and of rows, so REST, the
//! streams and the dashboard say the same. A figure that is not known is null, never 0.

mod health;
mod num;
mod rates;

pub use self::health::{ComponentBody, Components, Health, Status};
pub use self::num::{Num, finite};
pub use self::rates::{Rate, Rates, rates};

pub(crate) use self::health::health;

/// Decimals of a yearly rate: a millionth of a basis point.
pub(crate) const RATE_DECIMALS: u32 = 10;
/// Decimals of basis points.
pub(crate) const BPS_DECIMALS: u32 = 4;
