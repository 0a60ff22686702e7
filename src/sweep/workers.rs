//! Threads that share a list of jobs.
//!
//! Invariant: a job's outcome does not depend on who does it or when; outcomes reach `done` in
//! any order, on the caller's thread. The first error stops what has not begun.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Does every job with so many threads.
pub(super) fn run<J: Sync, T: Send, E: Send>(
    jobs: &[J],
    workers: NonZeroUsize,
    work: impl Fn(&J) -> Result<T, E> + Sync,
    mut done: impl FnMut(&J, T) -> Result<(), E>,
) -> Result<(), E> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers.get().min(jobs.len()) {
            let (sender, next, stop, work) = (sender.clone(), &next, &stop, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    // The receiver lives as long as the scope.
                    let _ = sender.send((job, work(job)));
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for (job, result) in outcomes {
            let step = result.and_then(|result| done(job, result));
            if step.is_err() && outcome.is_ok() {
                stop.store(true, Ordering::Relaxed);
                outcome = step;
            }
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_job_is_done_once_whatever_the_number_of_workers() {
        let jobs: Vec<u32> = (0..100).collect();
        for workers in [1, 2, 7, 500] {
            let mut seen = BTreeSet::new();
            let work = |job: &u32| Ok::<u32, ()>(job * 2);
            run(&jobs, NonZeroUsize::new(workers).unwrap(), work, |job, result| {
                assert_eq!(result, job * 2);
                assert!(seen.insert(*job));
                Ok(())
            })
            .unwrap();
            assert_eq!(seen.len(), 100);
        }
    }

    #[test]
    fn an_error_stops_what_has_not_begun() {
        let jobs: Vec<u32> = (0..10_000).collect();
        let mut done = 0;
        let work = |job: &u32| if *job == 3 { Err("three") } else { Ok(()) };
        let result = run(&jobs, NonZeroUsize::MIN, work, |_, ()| {
            done += 1;
            if done == 5 { Err("five") } else { Ok(()) }
        });
        assert_eq!(result, Err("three"));
    }
}
