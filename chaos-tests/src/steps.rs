//! When the steps of a change of generation were taken, here or in another process.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use evermesh_loader::generation::{Moment, Step, Watch};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, clock::now_ns, oracle::Event};

/// Is told of every step.
#[derive(Clone, Debug, Default)]
pub struct Steps(Arc<Mutex<Taken>>);

/// From one moment to another, nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The earlier one.
    pub start_ns: u64,
    /// The later one.
    pub end_ns: u64,
}

/// What they were.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    /// From before the first to after the last.
    pub all: Option<Span>,
    /// Links that were switched one after the other: from when the first was led on to when the last was.
    pub passes: Vec<Span>,
    /// The last step was of such a pass.
    #[serde(skip)]
    passing: bool,
}

/// How a change of generation went in a process that does it and ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Course {
    /// It began, nanoseconds of `CLOCK_MONOTONIC`.
    pub began_ns: u64,
    /// The new generation was on trial.
    pub ready_ns: u64,
    /// It stays, or has gone.
    pub ended_ns: u64,
    /// Its steps.
    pub steps: Taken,
}

impl Steps {
    /// For whoever takes them.
    pub fn watch(&self) -> Watch {
        let steps = self.clone();
        Watch::new(move |step, moment| steps.note(step, moment))
    }

    /// One is about to be taken, or was.
    pub fn note(&self, step: &Step, moment: Moment) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(step, moment, now_ns());
    }

    /// Those since this was asked last.
    pub fn take(&self) -> Taken {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Taken {
    fn note(&mut self, step: &Step, moment: Moment, now_ns: u64) {
        let now = Span { start_ns: now_ns, end_ns: now_ns };
        self.all.get_or_insert(now).end_ns = now_ns;
        let switched = matches!(step, Step::Switch { .. });
        if switched && moment == Moment::After {
            match self.passes.last_mut().filter(|_| self.passing) {
                Some(pass) => pass.end_ns = now_ns,
                None => self.passes.push(now),
            }
            self.passing = true;
        }
        self.passing &= switched;
    }

    /// As something that was done to the mesh; nothing if there were none.
    pub fn event(&self, kind: &str) -> Option<Event> {
        self.all.map(|Span { start_ns, end_ns }| Event { kind: kind.into(), start_ns, end_ns })
    }
}

impl Span {
    /// How long it is.
    pub fn duration(self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }
}

impl Course {
    /// As the process wrote it, in the last line of what it said.
    pub fn read(said: &str) -> Result<Self> {
        let line = said.lines().last().unwrap_or_default();
        serde_json::from_str(line).map_err(|source| Error::Json { what: "the course of a change", source })
    }
}

#[cfg(test)]
mod tests {
    use evermesh_loader::generation::Programs;
    use evermesh_pins::Hook;

    use super::*;

    #[test]
    fn switches_in_a_row_are_one_pass() {
        let switch = |hook| Step::Switch { hook, from: Programs::Of(1), to: Programs::Of(2) };
        let [a, b] = [Hook::Connect4, Hook::Connect6].map(switch);
        let mut taken = Taken::default();
        let moments = [&a, &b, &Step::Barrier, &b, &a]
            .into_iter()
            .flat_map(|step| [(step, Moment::Before), (step, Moment::After)]);
        for (now_ns, (step, moment)) in (0..).zip(moments) {
            taken.note(step, moment, now_ns);
        }
        let span = |start_ns, end_ns| Span { start_ns, end_ns };
        assert_eq!((taken.all, taken.passes), (Some(span(0, 9)), vec![span(1, 3), span(7, 9)]));
    }
}
