//! Jobs on several threads, their results in one.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// As many threads as the machine has cores.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `jobs` jobs on `threads` threads. `hire` makes what one thread works with; `done` hears of
/// each result in the caller's thread, in the order in which they come. Its first error ends the
/// work: jobs that run are finished, further ones are not begun.
///
/// # Errors
/// What `done` says first.
pub fn each<W: FnMut(usize) -> T, T: Send, E>(
    jobs: usize,
    threads: usize,
    hire: impl Fn() -> W + Sync,
    mut done: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let work = |out: mpsc::SyncSender<(usize, T)>| {
        let mut worker = hire();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            // A receiver that has gone has seen an error.
            if job >= jobs || out.send((job, worker(job))).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let (out, results) = mpsc::sync_channel(threads.max(1));
        for _ in 0..threads.clamp(1, jobs.max(1)) {
            let (out, work) = (out.clone(), &work);
            scope.spawn(move || work(out));
        }
        drop(out);
        // The receiver ends with the loop, before the scope waits for the threads.
        results.into_iter().try_for_each(|(job, result)| done(job, result))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_an_error_ends_the_work() {
        for threads in [0, 1, 3, 50] {
            let mut seen = vec![0; 20];
            let count = |job: usize, result: usize| {
                assert_eq!(result, job * 2);
                seen[job] += 1;
                Ok::<_, ()>(())
            };
            each(20, threads, || |job| job * 2, count).unwrap();
            assert!(seen.iter().all(|n| *n == 1), "{threads} threads: {seen:?}");
        }
        let mut heard = 0;
        let ended = each(
            1000,
            2,
            || |job| job,
            |_, _| {
                heard += 1;
                if heard == 5 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((ended, heard), (Err("enough"), 5));
        assert_eq!(each(0, 2, || |job| job, |_, _| Err("none")), Ok(()));
    }
}
