//! Who writes, and when. Requests wait in one queue; whoever comes round takes all of them into one transaction: one fsync for
//! all. A caller that finds nobody writing commits its own request on its own thread, since waking another one and being woken
//! again takes about as long as the disk does. Everything else is the writer thread's.

use crate::commit::{Committer, Patience};
use crate::folder::{StateFolder, from_io};
use orch_core::{Faults, PlantedBug, Record, RunId, StoreError};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// How many requests share a transaction at most, so that an acknowledgement never waits for an endless queue.
const MOST_SHARED: usize = 1024;

pub(crate) struct Request {
    pub(crate) run: RunId,
    pub(crate) what: What,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

pub(crate) enum What {
    Append(Entries),
    /// Forgets the wishes up to a number.
    Granted(u64),
}

/// Records on their way to the disk, at least one, each with its event as text. That is made by whoever asks, not while others wait
/// for the writer.
pub(crate) struct Entries {
    records: Arc<Vec<Record>>,
    bodies: Vec<String>,
}

impl Entries {
    /// None: there are no records.
    pub(crate) fn new(records: Arc<Vec<Record>>) -> serde_json::Result<Option<Entries>> {
        let bodies: Vec<_> =
            records.iter().map(|record| serde_json::to_string(&record.event)).collect::<Result<_, _>>()?;
        Ok((!bodies.is_empty()).then_some(Entries { records, bodies }))
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn with_bodies(&self) -> impl Iterator<Item = (&Record, &str)> {
        self.records.iter().zip(self.bodies.iter().map(String::as_str))
    }

    /// How many events the log has before these.
    pub(crate) fn expected(&self) -> u64 {
        self.records[0].seq.saturating_sub(1)
    }

    /// The length of all texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bodies.iter().map(String::len).sum()
    }
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Tells the thread that there is something for it.
    wake: Condvar,
    // Taken before requests are taken from the queue, so that they are committed in their order.
    committer: Mutex<Committer>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Request>,
    closed: bool,
}

impl Writer {
    pub(crate) fn start(folder: &StateFolder, faults: Arc<dyn Faults>) -> Result<Writer, StoreError> {
        let committer = Committer::open(folder, faults)?;
        committer.check()?;
        let committer = Mutex::new(committer);
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new(), committer });
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("run-log".to_owned())
            .spawn(move || serving.serve())
            .map_err(|error| from_io(folder.path(), &error))?;
        Ok(Writer { shared, thread: Some(thread) })
    }

    /// Puts a request in line. It is served once its turn is taken or dropped.
    pub(crate) fn send(self: &Arc<Writer>, request: Request) -> Turn {
        lock(&self.shared.queue).waiting.push_back(request);
        Turn { writer: Arc::clone(self) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The duty of who sent a request: to serve the queue, or to see to it that the thread does.
pub(crate) struct Turn {
    writer: Arc<Writer>,
}

impl Turn {
    /// Commits the request here if nobody else is writing and nobody else waits.
    pub(crate) fn take(self) {
        let shared = &self.writer.shared;
        let Ok(mut committer) = shared.committer.try_lock() else { return };
        // That mistake shows only where the caller goes on before the commit, which it cannot on its own thread.
        if committer.plants(PlantedBug::AcknowledgeEarly) {
            return;
        }
        let mut queue = lock(&shared.queue);
        // Several at once are worth a thread that keeps on: no caller shall be held up by the commits of others.
        if queue.waiting.len() != 1 {
            return;
        }
        let batch = queue.waiting.drain(..).collect();
        drop(queue);
        // Another process is writing. That can take long, so it is waited for on the thread.
        if let Err(batch) = committer.commit(batch, Patience::None) {
            let mut queue = lock(&shared.queue);
            batch.into_iter().rev().for_each(|request| queue.waiting.push_front(request));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let shared = &self.writer.shared;
        if !lock(&shared.queue).waiting.is_empty() {
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn serve(&self) {
        // While the caller does what comes before its first append.
        lock(&self.committer).reserve();
        loop {
            let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.closed;
            let queue = self.wake.wait_while(lock(&self.queue), idle).unwrap_or_else(PoisonError::into_inner);
            if queue.waiting.is_empty() {
                return;
            }
            drop(queue);
            let mut committer = lock(&self.committer);
            let mut queue = lock(&self.queue);
            let most = queue.waiting.len().min(MOST_SHARED);
            let batch: Vec<Request> = queue.waiting.drain(..most).collect();
            drop(queue);
            // With full patience nothing comes back.
            let _ = committer.commit(batch, Patience::Full);
        }
    }
}

/// What a thread that panicked left behind is still in order: a transaction that was not ended is taken back by the next one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
