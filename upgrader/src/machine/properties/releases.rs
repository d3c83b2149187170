//! What the ledger must say at each step of a trial.

use super::super::{Event, Record, Which};
use crate::release::{Digest, Ledger};

/// The ledger as the supervisor has it and as it stands on disk, and what the present trial has used up.
#[derive(Debug)]
pub struct Releases {
    pub ledger: Ledger,
    pub disk: Ledger,
    pub disk_full: bool,
    tries: u32,
    tried: u32,
    pub must_go_back: bool,
    /// The disk does not say what the supervisor knows.
    pub lost: bool,
}

pub fn own() -> Digest {
    Digest::of("own")
}

impl Releases {
    pub fn new() -> Self {
        let ledger = Ledger::new(own(), own(), None);
        Self {
            disk: ledger.clone(),
            ledger,
            disk_full: false,
            tries: 0,
            tried: 0,
            must_go_back: false,
            lost: false,
        }
    }

    pub fn consider(&mut self, release: &str, tries: u32) -> Result<(u64, u32), String> {
        if self.disk_full || Digest::of(release) == self.ledger.committed {
            return Err("no".into());
        }
        (self.tries, self.tried) = (tries.max(1), 0);
        let trial = self.ledger.begin(Digest::of(release), self.tries);
        self.disk = self.ledger.clone();
        Ok((trial, self.tries))
    }

    pub fn record(&mut self, record: Record, now: u64) -> Option<Event> {
        let awaited = matches!(record, Record::Try | Record::Commit);
        if awaited && self.disk_full {
            return Some(Event::NotRecorded("full".into()));
        }
        assert!(self.ledger.candidate.is_some(), "{record:?} about nothing");
        match &record {
            Record::Try => self.ledger.try_begins(Default::default()),
            Record::Commit => self.ledger.commit(now),
            Record::Failed(reason) => self.ledger.fail(reason, now),
            Record::Held(reason) => self.ledger.hold(reason, now),
            Record::GivenBack => {
                self.tries += 1;
                self.ledger.give_back();
            }
            Record::Unsettled(_) | Record::Settled | Record::NotSettled(_) => unreachable!("{record:?}"),
        }
        self.must_go_back |= matches!(record, Record::Failed(_) | Record::Held(_));
        let over = matches!(record, Record::Commit | Record::Held(_));
        assert_eq!(self.ledger.candidate.is_none(), over, "machine and ledger disagree: {record:?}");
        self.save();
        awaited.then_some(Event::Recorded)
    }

    /// Whose maps stand, as far as the ledger knows.
    pub fn settle(&mut self, outgoing: Option<Digest>) {
        match outgoing {
            Some(release) => self.ledger.leaves(release, &[]),
            None => self.ledger.settle(),
        }
        self.save();
    }

    pub fn step_down(&self) {
        assert!(under_way(&self.disk), "the committed release steps down before the try was written down");
    }

    pub fn spawn(&mut self, which: Which) {
        match which {
            Which::Committed => {
                assert!(!under_way(&self.ledger), "a try is under way without its agent");
                self.must_go_back = false;
            }
            Which::Candidate => {
                assert!(under_way(&self.disk), "a try began before it was written down");
                assert!(!self.must_go_back, "a failed try is not followed by the committed release");
                self.tried += 1;
                assert!(self.tried <= self.tries, "tried more often than allowed");
            }
        }
    }

    /// A word that nobody waits for is lost where there is no room.
    fn save(&mut self) {
        self.lost = self.disk_full;
        if !self.disk_full {
            self.disk = self.ledger.clone();
        }
    }
}

pub fn under_way(ledger: &Ledger) -> bool {
    ledger.candidate.as_ref().is_some_and(|it| it.under_way)
}
