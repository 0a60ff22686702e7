//! What hosts ask of the engine: commands, and other settings.
//!
//! Invariant: who asks gets a receipt once the log has it on the disk, or is told why not; settings
//! that are refused change nothing, neither in the engine nor for the next start.

use arb_core::port::{Receipt, TradingSettings};
use arb_core::{Command, ConfigError, Event, EventKind, StoreError};
use tokio::sync::oneshot;

use super::driver::{Driver, News};
use super::error::NodeError;
use super::settings;
use crate::record::log::Seq;

/// What a host wants, on its way to the engine.
#[derive(Debug)]
pub(super) enum Asked {
    Command(Command, oneshot::Sender<Result<Receipt, StoreError>>),
    Settings(Box<TradingSettings>, oneshot::Sender<Result<Receipt, ConfigError>>),
}

impl Driver {
    pub(super) async fn on_asked(&mut self, asked: Asked) -> Result<(), NodeError> {
        let at = self.stamp(self.clock.now());
        self.advance_to(at).await?;
        // Who no longer waits for the receipt does not need it.
        match asked {
            Asked::Command(command, answer) => {
                let receipt = self.command(command).await?;
                let _ = answer.send(receipt.map_err(|why| StoreError::Full(why.into())));
            }
            Asked::Settings(settings, answer) => {
                let _ = answer.send(self.change(&settings).await?);
            }
        }
        self.viewer.renew();
        self.news = News::Some;
        self.heed_log().await
    }

    /// Takes in a command; the receipt, or why it is not durable.
    async fn command(&mut self, command: Command) -> Result<Result<Receipt, String>, NodeError> {
        let at = self.stamp(self.clock.now());
        let kind = EventKind::Command(Box::new(command));
        let seq = self.input(Event { at, kind }).await?;
        self.receipt(seq).await
    }

    async fn receipt(&mut self, seq: Seq) -> Result<Result<Receipt, String>, NodeError> {
        Ok(match self.barrier().await? {
            true => Ok(Receipt { seq }),
            false => Err(self.journal.trouble().map(ToString::to_string).unwrap_or_default()),
        })
    }

    /// Puts settings in force, from the next tick on.
    async fn change(
        &mut self,
        settings: &TradingSettings,
    ) -> Result<Result<Receipt, ConfigError>, NodeError> {
        let at = self.stamp(self.clock.now());
        let event = settings::apply(&self.base, settings).and_then(|c| c.to_event(at));
        let event = match event {
            Ok(event) => event,
            Err(refused) => return Ok(Err(refused)),
        };
        let EventKind::Configure(configure) = &event.kind else { return Err(NodeError::Ended) };
        if let Err(refused) = self.cell.engine.check(configure) {
            return Ok(Err(refused));
        }
        if let Err(unwritten) = settings::write(&self.folder, settings) {
            return Ok(Err(unwritten));
        }
        let seq = self.input(event).await?;
        if settings.enabled == self.cell.engine.is_paused() {
            let command = if settings.enabled { Command::Resume } else { Command::Pause };
            self.input(Event { at, kind: EventKind::Command(Box::new(command)) }).await?;
        }
        let receipt = self.receipt(seq).await?;
        Ok(receipt.map_err(|why| ConfigError::new("settings", None, "log", why)))
    }
}
