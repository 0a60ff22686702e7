//! The notifier's cursor: every note is offered once, in order, across restarts.
//!
//! Invariant: the cursor in the file moves when a message was delivered, so a crash may repeat the
//! one that was under way and loses none that the ring still holds. A notifier that fails is tried
//! again with growing pauses and holds up nobody else.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arb_core::VenueError;
use arb_core::port::Notifier;
use tokio::sync::watch;

use super::metrics::{Counters, add, set};
use super::notes::{Alive, Held, NoteRing, Place};
use crate::record::log::Seq;

pub(super) const FILE: &str = "notifier.json";
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a notifier's task works with.
pub(super) struct Telling {
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) notes: Arc<NoteRing>,
    pub(super) alive: watch::Receiver<Alive>,
    pub(super) counters: Arc<Counters>,
    /// Folder of the log.
    pub(super) folder: PathBuf,
    /// Last record when the node started: where a notifier without a cursor begins.
    pub(super) from: Seq,
}

/// Tells notes until the node ends.
pub(super) async fn tell(mut telling: Telling) {
    let path = telling.folder.join(FILE);
    let mut done = read(&path).unwrap_or(telling.from);
    loop {
        let next = telling.notes.wait(Place::Output(done), &mut telling.alive).await;
        let Some((note, _)) = next else { return };
        if !deliver(&mut telling, &note).await {
            return;
        }
        done = note.number();
        set(&telling.counters.told_seq, done);
        if let Err(error) = write(&path, done) {
            tracing::warn!(file = %path.display(), %error, "the notifier's place is not kept");
        }
    }
}

/// Tries until it is delivered; false when the node ends before.
async fn deliver(telling: &mut Telling, note: &Held) -> bool {
    let mut pause = Duration::from_secs(1);
    loop {
        let wait = match telling.notifier.notify(&note.output).await {
            Ok(()) => return true,
            Err(VenueError::RateLimited { retry_after }) => retry_after,
            Err(error) => {
                tracing::warn!(%error, seq = note.number(), "a message was not delivered");
                pause
            }
        };
        add(&telling.counters.notifier_failures, 1);
        pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = telling.alive.wait_for(|alive| *alive == Alive::No) => return false,
        }
    }
}

fn read(path: &Path) -> Option<Seq> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write(path: &Path, seq: Seq) -> std::io::Result<()> {
    let aside = path.with_extension("tmp");
    let mut file = File::create(&aside)?;
    file.write_all(seq.to_string().as_bytes())?;
    drop(file);
    fs::rename(aside, path)
}
