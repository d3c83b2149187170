//! Changes that come shortly after each other become one push.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, timeout_at},
};

use super::world::Changed;

/// Longest that a change waits for others to stop.
const LONGEST: Duration = Duration::from_secs(10);

/// From the world's changes to the streams.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    changes: Mutex<Option<UnboundedSender<Changed>>>,
    streams: Mutex<Vec<UnboundedSender<Changed>>>,
}

impl Pushes {
    /// Streams subscribe before they first look at the world, so that they miss nothing.
    pub(super) fn subscribe(&self) -> UnboundedReceiver<Changed> {
        let (sender, receiver) = unbounded_channel();
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Without a running server there is nobody to tell.
    pub(super) fn announce(&self, changed: Changed) {
        if let Some(changes) = &*self.changes.lock().unwrap_or_else(PoisonError::into_inner)
            && !changed.is_empty()
        {
            let _ = changes.send(changed);
        }
    }

    /// Runs as long as the server does. `quiet` is asked for each push.
    pub(super) async fn run(&self, quiet: impl Fn() -> Duration) {
        let (sender, mut changes) = unbounded_channel();
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).replace(sender);
        while let Some(first) = changes.recv().await {
            let changed = gather(first, &mut changes, quiet()).await;
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.retain(|stream| stream.send(changed.clone()).is_ok());
        }
    }
}

/// Waits until no change has come for `quiet`.
async fn gather(mut changed: Changed, changes: &mut UnboundedReceiver<Changed>, quiet: Duration) -> Changed {
    if quiet.is_zero() {
        return changed;
    }
    let latest = Instant::now() + LONGEST;
    while let Ok(Some(more)) = timeout_at(latest.min(Instant::now() + quiet), changes.recv()).await {
        changed.merge(more);
    }
    changed
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const QUIET: Duration = Duration::from_millis(100);

    fn change(name: &str) -> Changed {
        Changed { addresses: [name.to_owned()].into(), ..Changed::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_within_the_quiet_time_are_one_push() {
        let (sender, mut changes) = unbounded_channel();
        let writer = tokio::spawn(async move {
            for name in ["b", "c", "too late"] {
                sleep(if name == "too late" { QUIET * 2 } else { QUIET / 2 }).await;
                sender.send(change(name)).unwrap();
            }
        });
        let started = Instant::now();
        let gathered = gather(change("a"), &mut changes, QUIET).await;
        assert_eq!(gathered.addresses, ["a", "b", "c"].map(str::to_owned).into());
        assert_eq!(started.elapsed(), QUIET * 2, "two halves of changes and one quiet time");
        writer.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn changes_that_never_stop_are_pushed_after_ten_seconds() {
        let (sender, mut changes) = unbounded_channel();
        let writer = tokio::spawn(async move {
            while sender.send(change("again")).is_ok() {
                sleep(QUIET / 2).await;
            }
        });
        let started = Instant::now();
        gather(change("first"), &mut changes, QUIET).await;
        assert_eq!(started.elapsed(), LONGEST);
        drop(changes);
        writer.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_quiet_time_every_change_is_a_push() {
        let (sender, mut changes) = unbounded_channel();
        sender.send(change("b")).unwrap();
        assert_eq!(gather(change("a"), &mut changes, Duration::ZERO).await, change("a"));
    }
}
