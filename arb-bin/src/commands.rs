//! One file a command.

mod accounts;
pub(crate) mod backtest;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod carry;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod fetch;
pub(crate) mod funding;
pub(crate) mod indicators;
pub(crate) mod invite;
mod live;
pub(crate) mod parity;
pub(crate) mod rates;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod strategies;
pub(crate) mod sweep;
pub(crate) mod tape;
pub(crate) mod user;

/// Flags that contradict each other or name nothing: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Ends the command with exit code 2.
pub(crate) fn usage<T>(message: impl Into<String>) -> anyhow::Result<T> {
    Err(Usage(message.into()).into())
}
