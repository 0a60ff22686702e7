//! The notifier's cursor: every note is offered once, in order, across restarts.
//!
//! Invariant: the cursor in the file moves when a message was delivered, so a crash may repeat the
//! one that was under way and loses none that the ring still holds. What the notifier remembers,
//! such as the totals of a day, stands in the same file and moves with it. A notifier that fails is
//! tried again with growing pauses and holds up nobody else.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arb_core::VenueError;
use arb_core::port::{Clock, Notifier};
use arb_core::time::MINUTE;
use serde::{Deserialize, Serialize};
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
    pub(super) clock: Arc<dyn Clock>,
    /// Folder of the log.
    pub(super) folder: PathBuf,
    /// Last record when the node started: where a notifier without a cursor begins.
    pub(super) from: Seq,
}

/// What is kept over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    seq: Seq,
    memory: Option<String>,
}

/// Tells notes, and what is due by time, until the node ends.
pub(super) async fn tell(mut telling: Telling) {
    let path = telling.folder.join(FILE);
    let found = read(&path);
    let mut on_disk = found.clone();
    let Kept { mut seq, memory } = found.unwrap_or(Kept { seq: telling.from, memory: None });
    if let Some(memory) = &memory {
        telling.notifier.recall(memory);
    }
    loop {
        // Asked before each note, so that a busy node does not put it off.
        if !telling.elapsed().await {
            return;
        }
        telling.keep(&path, seq, &mut on_disk);
        let minute = telling.clock.wait(telling.clock.now().plus(MINUTE));
        let note = tokio::select! {
            note = telling.notes.wait(Place::Output(seq), &mut telling.alive) => note,
            () = tokio::time::sleep(minute) => continue,
        };
        let Some((note, _)) = note else { return };
        if !telling.deliver(&note).await {
            return;
        }
        seq = note.number();
        set(&telling.counters.told_seq, seq);
        telling.keep(&path, seq, &mut on_disk);
    }
}

impl Telling {
    /// Tries until it is delivered; false when the node ends before.
    async fn deliver(&mut self, note: &Held) -> bool {
        let mut pause = Duration::from_secs(1);
        loop {
            let told = self.notifier.notify(&note.output).await;
            match self.pause_after(told, &mut pause, note.number()).await {
                After::Told => return true,
                After::TryAgain => {}
                After::Ended => return false,
            }
        }
    }

    /// Tries until what is due by time is delivered; false when the node ends before.
    async fn elapsed(&mut self) -> bool {
        let mut pause = Duration::from_secs(1);
        loop {
            let told = self.notifier.elapsed(self.clock.now()).await;
            match self.pause_after(told, &mut pause, 0).await {
                After::Told => return true,
                After::TryAgain => {}
                After::Ended => return false,
            }
        }
    }

    async fn pause_after(
        &mut self,
        told: Result<(), VenueError>,
        pause: &mut Duration,
        seq: Seq,
    ) -> After {
        let wait = match told {
            Ok(()) => return After::Told,
            Err(VenueError::RateLimited { retry_after }) => retry_after,
            Err(error) => {
                tracing::warn!(%error, seq, "a message was not delivered");
                *pause
            }
        };
        add(&self.counters.notifier_failures, 1);
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(wait) => After::TryAgain,
            _ = self.alive.wait_for(|alive| *alive == Alive::No) => After::Ended,
        }
    }

    /// Writes what has changed since the last time; of notes that nobody is told, many at once.
    fn keep(&self, path: &Path, seq: Seq, on_disk: &mut Option<Kept>) {
        let now = Kept { seq, memory: self.notifier.memory() };
        let same_memory = on_disk.as_ref().is_some_and(|kept| kept.memory == now.memory);
        let is_behind = self.notes.after(Place::Output(seq)).is_some();
        if on_disk.as_ref() == Some(&now) || same_memory && is_behind {
            return;
        }
        match write(path, &now) {
            Ok(()) => *on_disk = Some(now),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the notifier's place is not kept");
            }
        }
    }
}

/// How an attempt ended.
enum After {
    Told,
    TryAgain,
    /// The node has ended.
    Ended,
}

/// What was kept; an earlier version kept the number alone.
fn read(path: &Path) -> Option<Kept> {
    let bytes = fs::read(path).ok()?;
    let number = || serde_json::from_slice(&bytes).ok().map(|seq| Kept { seq, memory: None });
    serde_json::from_slice(&bytes).ok().or_else(number)
}

fn write(path: &Path, kept: &Kept) -> std::io::Result<()> {
    let aside = path.with_extension("tmp");
    let mut file = File::create(&aside)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    drop(file);
    fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_so_does_a_bare_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(read(&path), None);
        fs::write(&path, "17").unwrap();
        assert_eq!(read(&path), Some(Kept { seq: 17, memory: None }));
        let kept = Kept { seq: 18, memory: Some("{}".to_owned()) };
        write(&path, &kept).unwrap();
        assert_eq!(read(&path), Some(kept));
    }
}
