use std::{path::PathBuf, sync::Arc, time::Duration};

use evermesh_handover::gate::Verdict;
use evermesh_model::LastApplied;
use evermesh_pins::PinDir;
use evermesh_sockets::{Pass, SocketsError, destroy_orphans};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    core::{Chore, Destroyed, Event, Found, Left},
    data_plane::{Gone, Plane},
    heap,
    judge::Judge,
    laid::NoteFile,
    message,
    record::Record,
    source, supervisor,
};

/// A program run that began before a change has ended by then, most likely; a barrier makes sure.
const RECLAIM_AFTER: Duration = Duration::from_millis(20);
/// Changes that follow each other so closely share a look for sockets, and a look at which many pods are entered leaves
/// the machine to others for most of the time.
const ORPHANS_AFTER: Duration = Duration::from_millis(100);
/// How often the data plane is told that the agent is alive.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

type Events = mpsc::UnboundedSender<Result<Event, Gone>>;

/// Does what takes time, elsewhere, and says when it is done.
#[derive(Debug)]
pub struct Hands {
    /// Files that configuration comes from.
    pub config: Option<PathBuf>,
    pub record: Record,
    pub note: NoteFile,
    pub pins: PinDir,
    pub plane: Plane,
    pub judge: Judge,
    pub events: Events,
}

impl Hands {
    pub fn read(&self, unless: Option<[u8; 32]>) {
        let Some(config) = self.config.clone() else { return };
        let read = move || {
            let found = source::read(&config).and_then(|raw| match Some(raw.digest()) == unless {
                true => Ok(Found::Same),
                false => raw.parse().map(|loaded| Found::New(Box::new(loaded))),
            });
            Event::Read(found.map_err(|error| message::of(&error)))
        };
        do_aside(&self.events, read, |panicked| Event::Read(Err(panicked)));
    }

    pub fn apply(&self, wanted: Arc<LastApplied>) {
        let (plane, events) = (self.plane.clone(), self.events.clone());
        tokio::spawn(async move {
            // Nobody listens any more when the agent ends: here and below.
            let _unheard = events.send(plane.apply(wanted).await.map(Event::Applied));
        });
    }

    pub fn save(&self, applied: Arc<LastApplied>) {
        let record = self.record.clone();
        let save = move || {
            let written = record.write(&applied);
            heap::give_back();
            Event::Saved(written)
        };
        do_aside(&self.events, save, |panicked| Event::Saved(Err(panicked)));
    }

    pub fn recall(&self) {
        let record = self.record.clone();
        let recall = move || {
            let (found, note) = record.read();
            heap::give_back();
            Event::Recalled(found.map(Box::new), note)
        };
        let note = |panicked| Some(format!("what was applied last cannot be read: {panicked}"));
        do_aside(&self.events, recall, move |panicked| Event::Recalled(None, note(panicked)));
    }

    /// What the tables hold by now is noted only if it is this.
    pub fn note(&self, applied: Arc<LastApplied>) {
        let (plane, note) = (self.plane.clone(), self.note.clone());
        tokio::spawn(async move {
            if let Ok(Some(laid)) = plane.laid(applied.clone()).await {
                // The next start takes longer where this fails.
                let _panicked = spawn_blocking(move || note.write(applied.digest, laid)).await;
            }
        });
    }

    pub fn do_chore(&self, chore: Chore) {
        let (plane, pins, events) = (self.plane.clone(), self.pins.clone(), self.events.clone());
        tokio::spawn(async move {
            let _unheard = events.send(done(chore, &plane, pins).await);
        });
    }

    /// What traffic has shown meanwhile is put before whoever judges.
    pub fn judge(&self) {
        let (plane, judge, events) = (self.plane.clone(), self.judge.clone(), self.events.clone());
        tokio::spawn(async move {
            sleep(Judge::EVERY).await;
            let verdict = match plane.report().await {
                Err(Gone) => Err(Gone),
                Ok(Ok(None)) => Ok(Verdict::Commit),
                Ok(Err(reason)) => Ok(Verdict::RollBack { reason }),
                Ok(Ok(Some(report))) => Ok(spawn_blocking(move || judge.judge(&report))
                    .await
                    .unwrap_or_else(|panicked| Verdict::RollBack { reason: panicked.to_string() })),
            };
            let _unheard = events.send(verdict.map(Event::Judged));
        });
    }

    pub fn commit(&self) {
        let (plane, events) = (self.plane.clone(), self.events.clone());
        tokio::spawn(async move {
            let _unheard = events.send(plane.commit().await.map(Event::Committed));
        });
    }

    pub fn roll_back(&self, reason: String) {
        let (plane, events) = (self.plane.clone(), self.events.clone());
        tokio::spawn(async move {
            let done = plane.roll_back(reason.clone()).await;
            let _unheard = events.send(done.map(|result| Event::RolledBack(reason, result)));
        });
    }

    pub fn keep_beating(&self) {
        let (plane, events) = (self.plane.clone(), self.events.clone());
        tokio::spawn(async move {
            let mut beats = interval(HEARTBEAT_EVERY);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beats.tick().await;
                let beaten = plane.beat().await.map(|result| Event::Done(Chore::Heartbeat, result));
                if events.send(beaten).is_err() {
                    return;
                }
            }
        });
    }

    /// Speaks for the data plane's thread: when that hangs, nothing is said.
    pub fn keep_alive(&self) {
        let Some(period) = supervisor::alive_period() else { return };
        let plane = self.plane.clone();
        tokio::spawn(async move {
            let mut beats = interval(period);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beats.tick().await;
                match plane.ping().await {
                    Ok(()) => supervisor::alive(),
                    Err(Gone) => return,
                }
            }
        });
    }
}

/// Whoever waits for it is told of a panic too.
fn do_aside(
    events: &Events,
    work: impl FnOnce() -> Event + Send + 'static,
    panicked: impl FnOnce(String) -> Event + Send + 'static,
) {
    let events = events.clone();
    tokio::spawn(async move {
        let event = spawn_blocking(work).await.unwrap_or_else(|error| panicked(error.to_string()));
        let _unheard = events.send(Ok(event));
    });
}

async fn done(chore: Chore, plane: &Plane, pins: PinDir) -> Result<Event, Gone> {
    let result = match chore {
        Chore::Audit => {
            let audited = plane.audit().await;
            // That takes some milliseconds at worst, and nothing is wrong where it fails.
            let _panicked = spawn_blocking(heap::give_back).await;
            audited
        }
        Chore::Reclaim => {
            sleep(RECLAIM_AFTER).await;
            plane.reclaim().await
        }
        Chore::Heartbeat => plane.beat().await,
        Chore::Tally => plane.keep_tally().await,
        Chore::Orphans => return Ok(Event::OrphansDestroyed(destroyed(pins).await)),
    };
    result.map(|result| Event::Done(chore, result))
}

async fn destroyed(pins: PinDir) -> Destroyed {
    sleep(ORPHANS_AFTER).await;
    let left = |error| match error {
        SocketsError::Unsupported => Left::Unsupported(message::of(&error)),
        _ => Left::Failed(message::of(&error)),
    };
    match spawn_blocking(move || destroy_orphans(&pins)).await {
        Ok(Pass { destroyed, failed }) => Destroyed { sockets: destroyed, left: failed.map(left) },
        Err(panicked) => Destroyed { sockets: 0, left: Some(Left::Failed(panicked.to_string())) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_is_done_all_the_same() {
        let (events, mut told) = mpsc::unbounded_channel();
        do_aside(&events, || panic!("the disk bit"), |panicked| Event::Saved(Err(panicked)));
        do_aside(&events, || Event::Saved(Ok(())), |panicked| Event::Saved(Err(panicked)));
        drop(events);
        let mut outcomes = Vec::new();
        for _ in 0..2 {
            let Some(Ok(Event::Saved(outcome))) = told.recv().await else { panic!("it was not told") };
            outcomes.push(outcome);
        }
        outcomes.sort();
        let [Ok(()), Err(reason)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert!(reason.contains("the disk bit"), "{reason}");
    }
}
