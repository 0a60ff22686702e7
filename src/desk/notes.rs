//! Notes read from the store, as they are stored.
//!
//! Invariant: every note of the stream once, in the order of the log, however slow the reader: what
//! it has not read yet waits in the store.

use std::collections::VecDeque;
use std::sync::Arc;

use arb_core::StoreError;
use arb_core::port::{Cursor, Note, NoteRow, Notes, Store};
use futures_util::stream;
use tokio::sync::watch;

use super::{DeskOptions, Seen, Shared};

/// Notes read at once.
const PAGE: usize = 500;
/// Behind every record of an epoch.
const END: u64 = u64::MAX >> 1;

/// A reader with what it has read and not given yet.
struct Reader {
    options: DeskOptions,
    seen: watch::Receiver<Arc<Seen>>,
    after_seq: u64,
    /// Where it stands, once its beginning is found in the store.
    place: Option<Cursor>,
    ready: VecDeque<Note>,
}

/// The notes of the records after a number, then new ones, until the desk is gone.
pub(super) fn stream(shared: &Arc<Shared>, after_seq: u64) -> Notes {
    let reader = Reader {
        options: shared.options.clone(),
        seen: shared.seen.subscribe(),
        after_seq,
        place: None,
        ready: VecDeque::new(),
    };
    Box::pin(stream::unfold(reader, |mut reader| async move {
        let note = reader.next().await?;
        Some((note, reader))
    }))
}

impl Reader {
    async fn next(&mut self) -> Option<Note> {
        loop {
            if let Some(note) = self.ready.pop_front() {
                return Some(note);
            }
            let stored = self.seen.borrow_and_update().stored;
            let has_more = self.place.is_none_or(|place| place < stored);
            if has_more && let Err(error) = self.read(stored).await {
                tracing::warn!(%error, "notes cannot be read from the store yet");
            }
            if self.ready.is_empty() {
                self.seen.changed().await.ok()?;
            }
        }
    }

    /// Reads the next page.
    async fn read(&mut self, stored: Cursor) -> Result<(), StoreError> {
        let DeskOptions { store, stream, .. } = &self.options;
        let place = match self.place {
            Some(place) => place,
            None => begin(&**store, stream, self.after_seq, stored.epoch).await?,
        };
        let rows = store.live_events(stream, place, PAGE).await?;
        // Records without notes are passed over at once.
        let reached = if rows.len() < PAGE { place.max(stored) } else { place };
        self.place = Some(rows.last().map_or(reached, |row| row.cursor.max(reached)));
        let is_later = |row: &NoteRow| row.cursor.seq > self.after_seq;
        self.ready.extend(rows.into_iter().filter(is_later).map(note));
        Ok(())
    }
}

fn note(row: NoteRow) -> Note {
    let NoteRow { cursor, ordinal, at, kind, body } = row;
    Note { seq: cursor.seq, ordinal, at, kind, body }
}

/// The place behind the records up to `seq`.
///
/// Numbers ascend over the epochs of a stream, so the first epoch with a later record is found by
/// halving.
async fn begin(
    store: &dyn Store,
    stream: &str,
    seq: u64,
    newest: u64,
) -> Result<Cursor, StoreError> {
    let (mut low, mut high) = (0, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        let behind = Cursor { epoch: middle, seq: END };
        let next = store.live_events(stream, behind, 1).await?;
        match next.first() {
            Some(row) if row.cursor.seq <= seq => low = row.cursor.epoch,
            _ => high = middle,
        }
    }
    Ok(Cursor { epoch: low, seq: seq.min(END) })
}
