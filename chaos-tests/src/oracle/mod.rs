//! Says from the clients' attempts and the events of a run whether traffic noticed. Pure, but for reading
//! recordings.

mod event;
mod latency;
mod report;
mod rules;
mod stall;
mod tally;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use event::{Event, Timeline};
pub use latency::Latency;
pub use report::{EventReport, FailureSample, KindReport, Report, Verdict};
pub use rules::{Rules, Void};
pub use stall::Stall;
use tally::Tally;

use crate::{
    Result,
    client::{Attempt, Recording},
};

/// Takes in a run, client by client, and then judges it.
pub struct Oracle {
    timeline: Timeline,
    rules: Rules,
    tally: Tally,
}

/// One client's attempts go in here, in their order.
pub struct Client<'a> {
    oracle: &'a mut Oracle,
    name: String,
    gaps: stall::Gaps,
    attempts: u64,
}

impl Oracle {
    /// For a run in which the events of `timeline` happened.
    pub fn new(timeline: Timeline, rules: Rules) -> Self {
        let tally = Tally::new(timeline.events());
        Self { timeline, rules, tally }
    }

    /// Begins with another client.
    pub fn client(&mut self, name: &str) -> Client<'_> {
        Client { oracle: self, name: name.to_owned(), gaps: stall::Gaps::default(), attempts: 0 }
    }

    /// Takes in a client's recording.
    pub fn recording(&mut self, name: &str, path: &Path) -> Result<()> {
        let mut recording = Recording::open(path)?;
        let mut client = self.client(name);
        while let Some(attempt) = recording.next_attempt()? {
            client.attempt(&attempt);
        }
        client.end(recording.complete());
        Ok(())
    }

    /// Takes in how often connections were turned away at full accept queues in a server's pod, before and after
    /// the run.
    pub fn listen_overflows(&mut self, pod: &str, before: u64, after: u64) {
        if after > before {
            self.tally.void.push(Void::ListenOverflows { pod: pod.to_owned(), count: after - before });
        }
    }

    /// The verdict and what it stands on.
    pub fn finish(self) -> Report {
        self.tally.into_report(self.timeline, self.rules)
    }
}

impl Client<'_> {
    /// Takes in the next attempt.
    pub fn attempt(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        let Oracle { timeline, rules, tally } = &mut *self.oracle;
        let place = timeline.place(attempt, rules.window_ns);
        tally.attempt(&self.name, attempt, &place);
        let stall = self.gaps.next(attempt);
        tally.stall(&self.name, stall, timeline.overlapping(stall.start_ns, stall.end_ns));
    }

    /// Says that there are no more, and whether the client finished its recording.
    pub fn end(self, complete: bool) {
        let void = &mut self.oracle.tally.void;
        if !complete {
            void.push(Void::ClientDied { client: self.name });
        } else if self.attempts == 0 {
            void.push(Void::ClientSilent { client: self.name });
        }
    }
}
