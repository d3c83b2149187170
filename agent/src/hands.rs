use std::{path::PathBuf, sync::Arc, time::Duration};

use evermesh_model::LastApplied;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    core::{Chore, Event, Found},
    data_plane::{Gone, Plane},
    message,
    record::Record,
    source, supervisor,
};

/// A program run that began before a change has ended by then, most likely; a barrier makes sure.
const RECLAIM_AFTER: Duration = Duration::from_millis(20);
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Does what takes time, elsewhere, and says when it is done.
#[derive(Debug)]
pub struct Hands {
    pub config: PathBuf,
    pub record: Record,
    pub plane: Plane,
    pub events: mpsc::UnboundedSender<Result<Event, Gone>>,
}

impl Hands {
    pub fn read(&self, unless: Option<[u8; 32]>) {
        let (config, events) = (self.config.clone(), self.events.clone());
        spawn_blocking(move || {
            let found = source::read(&config).and_then(|raw| match Some(raw.digest()) == unless {
                true => Ok(Found::Same),
                false => raw.parse().map(|loaded| Found::New(Box::new(loaded))),
            });
            // Nobody listens any more when the agent ends: here and below.
            let _unheard = events.send(Ok(Event::Read(found.map_err(|error| message::of(&error)))));
        });
    }

    pub fn apply(&self, wanted: Arc<LastApplied>) {
        let (plane, events) = (self.plane.clone(), self.events.clone());
        tokio::spawn(async move {
            let _unheard = events.send(plane.apply(wanted).await.map(Event::Applied));
        });
    }

    pub fn save(&self, applied: Arc<LastApplied>) {
        let (record, events) = (self.record.clone(), self.events.clone());
        spawn_blocking(move || {
            let _unheard = events.send(Ok(Event::Saved(record.write(&applied))));
        });
    }

    pub fn do_chore(&self, chore: Chore) {
        let (plane, events) = (self.plane.clone(), self.events.clone());
        tokio::spawn(async move {
            let done = match chore {
                Chore::Audit => plane.audit().await,
                Chore::Reclaim => {
                    sleep(RECLAIM_AFTER).await;
                    plane.reclaim().await
                }
                Chore::Heartbeat => plane.beat().await,
            };
            let _unheard = events.send(done.map(|result| Event::Done(chore, result)));
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
