//! How what one media worker passes on reaches another: a queue for each worker, bounded in bytes. It never
//! waits, and looks into nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use media::Batch;
use tokio::sync::mpsc;

/// Batches that wait for one worker; each is a turn of another one.
const WAITING_BATCHES: usize = 4_096;

/// Where batches for one worker are put.
#[derive(Clone, Debug)]
pub(crate) struct LinkSender {
    sender: mpsc::Sender<Batch>,
    waiting_bytes: Arc<AtomicUsize>,
    most_bytes: usize,
}

/// Where one worker takes them out.
#[derive(Debug)]
pub(crate) struct LinkReceiver {
    receiver: mpsc::Receiver<Batch>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// A queue, for one worker.
pub(crate) fn link(most_bytes: usize) -> (LinkSender, LinkReceiver) {
    let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let sender = LinkSender {
        sender,
        waiting_bytes: waiting_bytes.clone(),
        most_bytes,
    };
    let receiver = LinkReceiver {
        receiver,
        waiting_bytes,
    };
    (sender, receiver)
}

impl LinkSender {
    /// Put a batch in. It comes back when too much waits already.
    pub(crate) fn send(&self, batch: Batch) -> Result<(), Batch> {
        let bytes = batch.bytes();
        // Several workers may pass the limit at once, by a batch each.
        if self.waiting_bytes.fetch_add(bytes, Relaxed) > self.most_bytes {
            self.waiting_bytes.fetch_sub(bytes, Relaxed);
            return Err(batch);
        }
        self.sender.try_send(batch).map_err(|refused| {
            self.waiting_bytes.fetch_sub(bytes, Relaxed);
            refused.into_inner()
        })
    }
}

impl LinkReceiver {
    /// The next batch, when there is one. Never, when nobody is left who could send.
    pub(crate) async fn recv(&mut self) -> Batch {
        match self.receiver.recv().await {
            Some(batch) => self.taken(batch),
            None => std::future::pending().await,
        }
    }

    /// The next batch, if there is one now.
    pub(crate) fn try_recv(&mut self) -> Option<Batch> {
        let batch = self.receiver.try_recv().ok()?;
        Some(self.taken(batch))
    }

    /// Bytes that wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Relaxed)
    }

    fn taken(&self, batch: Batch) -> Batch {
        self.waiting_bytes.fetch_sub(batch.bytes(), Relaxed);
        batch
    }
}
