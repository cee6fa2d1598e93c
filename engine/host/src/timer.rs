//! Waits of guests, ended on time. The runtime's own timers know milliseconds only, so that a wait ends up to two of them late, and
//! all that end within the same one wake at once and then stand in each other's way.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Is over at a moment, not before.
pub(crate) struct Timer {
    at: Instant,
    /// Its place among those that end at the same moment, once it waits.
    number: Option<u64>,
}

/// One thread wakes the waits of all hosts of the process.
#[derive(Default)]
struct Timers {
    waits: Mutex<Waits>,
    /// Tells the thread that it has to wake up earlier than it wanted to.
    earlier: Condvar,
}

#[derive(Default)]
struct Waits {
    by_end: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

static TIMERS: OnceLock<&'static Timers> = OnceLock::new();

impl Timer {
    pub(crate) fn at(at: Instant) -> Timer {
        Timer { at, number: None }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let timers = TIMERS.get_or_init(Timers::start);
        let mut waits = timers.lock();
        let number = *self.number.get_or_insert_with(|| {
            waits.next += 1;
            waits.next
        });
        waits.by_end.insert((self.at, number), context.waker().clone());
        let is_first = waits.by_end.first_key_value().is_some_and(|(first, _)| *first == (self.at, number));
        drop(waits);
        // The thread sleeps until the end of the one that was first: it need not know of later ones.
        if is_first {
            timers.earlier.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let (Some(number), Some(timers)) = (self.number, TIMERS.get()) {
            timers.lock().by_end.remove(&(self.at, number));
        }
    }
}

impl Timers {
    fn start() -> &'static Timers {
        let timers: &'static Timers = Box::leak(Box::default());
        let started = std::thread::Builder::new().name("timers".to_owned()).spawn(|| timers.serve());
        // Without it nothing that waits would ever go on, and a process that cannot start a thread cannot run guests either.
        started.expect("a thread can be started");
        timers
    }

    fn serve(&self) {
        // The system may otherwise let a sleep be 50 microseconds longer, to wake less often. If it cannot be asked, they are that late.
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut due = Vec::new();
        let mut waits = self.lock();
        loop {
            let now = Instant::now();
            while let Some(first) = waits.by_end.first_entry()
                && first.key().0 <= now
            {
                due.push(first.remove());
            }
            if !due.is_empty() {
                // Whoever is woken may want to wait again at once.
                drop(waits);
                due.drain(..).for_each(Waker::wake);
                waits = self.lock();
                continue;
            }
            let first = waits.by_end.first_key_value().map(|((at, _), _)| *at);
            waits = match first {
                Some(at) => {
                    let slept = self.earlier.wait_timeout(waits, at.saturating_duration_since(Instant::now()));
                    slept.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.earlier.wait(waits).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        // Nothing panics while it is held that could leave it in disorder.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn none_ends_early_and_none_is_forgotten() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let ended = Arc::new(AtomicUsize::new(0));
        let waits: Vec<_> = (0..2_000_u64)
            .map(|number| {
                let ended = Arc::clone(&ended);
                // In no order, many at the same moment.
                let at = Instant::now() + Duration::from_micros(number * 7_919 % 211 * 400);
                runtime.spawn(async move {
                    Timer::at(at).await;
                    assert!(Instant::now() >= at);
                    ended.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for wait in waits {
            runtime.block_on(wait).unwrap();
        }
        assert_eq!(ended.load(Ordering::Relaxed), 2_000);
    }

    #[test]
    fn one_that_is_dropped_is_forgotten() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let far = Instant::now() + Duration::from_secs(86_400);
        runtime.block_on(async {
            let mut timer = Box::pin(Timer::at(far));
            assert!(std::future::poll_fn(|context| Poll::Ready(timer.as_mut().poll(context))).await.is_pending());
            let number = timer.number.unwrap();
            let is_there = || TIMERS.get().unwrap().lock().by_end.contains_key(&(far, number));
            assert!(is_there());
            // Asked again, it is still one.
            assert!(std::future::poll_fn(|context| Poll::Ready(timer.as_mut().poll(context))).await.is_pending());
            assert_eq!(timer.number, Some(number));
            drop(timer);
            assert!(!is_there());
        });
    }
}
