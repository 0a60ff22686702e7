//! The log as the driver uses it: records gather while the last flush is under way.
//!
//! Invariant: one flush at a time, in order; `durable` tells the last record that is on the disk,
//! and whoever acts outside waits for it. What could not be written is kept and offered again
//! before anything newer.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::error::NodeError;
use crate::record::RecordError;
use crate::record::log::{LogBuffer, LogHeader, LogWriter, Seq};

/// Time between two tries to write to a disk that is full.
const RETRY: Duration = Duration::from_secs(1);

type Done = (LogWriter, LogBuffer, Result<(), RecordError>);
type Flight = JoinHandle<Done>;

/// Whether a buffer begins where a segment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// Between two inputs, with nothing of the venue waiting.
    Between,
    /// Among the answers to an input.
    Within,
}

/// The end of the log, behind a driver.
#[derive(Debug)]
pub(super) struct Journal {
    /// None while a flush has it.
    writer: Option<LogWriter>,
    flight: Option<Flight>,
    /// A flush that is over and was not looked at yet.
    landing: Option<Result<Done, JoinError>>,
    /// What could not be written, and why.
    stuck: Option<(LogBuffer, RecordError)>,
    spare: LogBuffer,
    /// What gathers now.
    pub(super) buffer: LogBuffer,
    begins: Begins,
    header: LogHeader,
    durable: watch::Sender<Seq>,
    every: Duration,
    due: Option<Instant>,
}

impl Journal {
    pub(super) fn new(writer: LogWriter, header: LogHeader, every: Duration) -> Self {
        let last = writer.last();
        Self {
            writer: Some(writer),
            flight: None,
            landing: None,
            stuck: None,
            spare: LogBuffer::default(),
            buffer: LogBuffer::after(last),
            begins: Begins::Between,
            header,
            durable: watch::Sender::new(last),
            every,
            due: None,
        }
    }

    /// Tells the last durable record whenever it changes.
    pub(super) fn durable(&self) -> watch::Receiver<Seq> {
        self.durable.subscribe()
    }

    /// The header of segments that begin from now on.
    pub(super) fn set_header(&mut self, header: LogHeader) {
        self.header = header;
    }

    /// Whether the disk takes what it is given.
    pub(super) const fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    /// Bytes that are not durable.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.bytes().len()
            + self.stuck.as_ref().map_or(0, |(buffer, _)| buffer.bytes().len())
    }

    /// When the next flush should start; none while nothing waits.
    pub(super) fn due(&mut self) -> Option<Instant> {
        if self.is_flushing() || (self.buffer.is_empty() && self.stuck.is_none()) {
            return None;
        }
        let every = if self.is_stuck() { RETRY } else { self.every };
        Some(*self.due.get_or_insert_with(|| Instant::now() + every))
    }

    /// Whether a flush is under way.
    pub(super) const fn is_flushing(&self) -> bool {
        self.flight.is_some() || self.landing.is_some()
    }

    /// Whether the flush under way is over, so that [`landed`](Self::landed) does not wait.
    pub(super) fn has_landed(&self) -> bool {
        self.landing.is_some() || self.flight.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Starts writing what waits; `next` says how the following buffer begins.
    pub(super) fn start(&mut self, next: Begins) {
        let Some(mut writer) = self.writer.take() else { return };
        self.due = None;
        let (buffer, begins) = match self.stuck.take() {
            Some((buffer, _)) => (buffer, Begins::Within),
            None => {
                self.spare.restart(self.buffer.last());
                let full = std::mem::replace(&mut self.buffer, std::mem::take(&mut self.spare));
                (full, std::mem::replace(&mut self.begins, next))
            }
        };
        let header = (begins == Begins::Between && writer.is_full()).then(|| self.header.clone());
        self.flight = Some(tokio::task::spawn_blocking(move || {
            let written = match &header {
                Some(header) => writer.rotate(header).and_then(|()| writer.flush(&buffer)),
                None => writer.flush(&buffer),
            };
            (writer, buffer, written)
        }));
    }

    /// Waits until the flush under way is over, without taking its result; may be dropped.
    pub(super) async fn until_landed(&mut self) {
        if let Some(flight) = &mut self.flight {
            let landed = flight.await;
            self.flight = None;
            self.landing = Some(landed);
        }
    }

    /// Waits for the flush under way and tells how it went.
    pub(super) async fn landed(&mut self) -> Result<(), NodeError> {
        self.until_landed().await;
        let Some(landed) = self.landing.take() else { return Ok(()) };
        let (writer, buffer, written) = landed.map_err(|e| NodeError::Task(e.to_string()))?;
        self.writer = Some(writer);
        match written {
            Ok(()) => {
                self.durable.send_replace(buffer.last());
                self.spare = buffer;
            }
            Err(error) => self.stuck = Some((buffer, error)),
        }
        Ok(())
    }

    /// Makes everything appended so far durable; false when the disk does not take it.
    pub(super) async fn barrier(&mut self, next: Begins) -> Result<bool, NodeError> {
        self.landed().await?;
        while !self.is_stuck() && !self.buffer.is_empty() {
            self.start(next);
            self.landed().await?;
        }
        Ok(!self.is_stuck())
    }

    /// Tells nobody any more what is durable.
    pub(super) fn retire(&mut self) {
        self.durable = watch::Sender::new(0);
    }

    /// Why the disk takes nothing, as the end of the node.
    pub(super) fn no_room(&mut self) -> Option<NodeError> {
        let bytes = self.waiting();
        self.stuck.take().map(|(_, source)| NodeError::NoRoom { bytes, source })
    }

    /// Why the disk takes nothing.
    pub(super) fn trouble(&self) -> Option<&RecordError> {
        self.stuck.as_ref().map(|(_, error)| error)
    }
}
