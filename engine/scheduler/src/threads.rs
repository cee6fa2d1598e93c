//! Which threads drive a run.

use crate::dispatch::{Dispatcher, Driven, RunError, RunRequest};
use std::convert::Infallible;
use std::io;
use tokio::runtime::{Builder, Runtime};

/// How often the timer wheel is looked at while guests keep every thread busy: they yield each 10 ms.
const TIMER_EVERY_POLLS: u32 = 7;

/// Threads for a run that may do so many tasks at once.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime(jobs: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        // One more than there are guests to keep busy.
        .worker_threads(jobs.min(processors() * 4) + 1)
        .event_interval(TIMER_EVERY_POLLS)
        .enable_all()
        .build()
}

/// How many guests can compute at once.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Dispatcher {
    /// Drives a run as [`Dispatcher::run`] does, on a runtime of [`runtime`], and waits for it on this thread. What is `beside` goes on
    /// as long as it does.
    ///
    /// # Errors
    /// As [`Dispatcher::run`].
    ///
    /// # Panics
    /// When driving it does.
    pub fn drive(
        self,
        runtime: &Runtime,
        request: RunRequest,
        beside: impl Future<Output = Infallible>,
    ) -> Result<Driven, RunError> {
        // With more tasks at once than processors most of them wait for something. Then the dispatcher has this thread for itself: among
        // the guests it would stand in line behind those that it has just begun, and they behind it while it waits for the disk. With
        // fewer it runs beside them, so that the end of a task and the start of the next need no other thread to wake up.
        let apart = self.jobs > processors();
        let run = async move { self.run(request).await };
        if apart {
            return runtime.block_on(with(run, beside));
        }
        let driven = runtime.block_on(with(runtime.spawn(run), beside));
        driven.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

async fn with<T>(run: impl Future<Output = T>, beside: impl Future<Output = Infallible>) -> T {
    tokio::select! {
        ended = run => ended,
        never = beside => match never {},
    }
}
