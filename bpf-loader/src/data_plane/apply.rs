//! The tables led to a mesh, and kept as it says.

use std::mem;

use evermesh_model::{Delta, Here, Place, Snapshot};
use evermesh_pins::sys;
use tracing::warn;

use super::{Applied, ApplyError, DataPlane};
use crate::{
    lower::lower_all,
    tables::{self, Change, State, Store},
};

impl DataPlane {
    /// Leads the tables from what they say to `snapshot`. On an error they say what they said before.
    pub fn apply(&mut self, snapshot: &Snapshot) -> Result<Applied, ApplyError> {
        match self.lead_to(snapshot) {
            Ok((here, writes)) => self.settled(snapshot, here, writes),
            Err(error) => Err(self.restore(error)),
        }
    }

    /// Writes what differs from what was applied. Where this node is by that, and how many stores it took.
    pub(super) fn lead_to(&mut self, snapshot: &Snapshot) -> Result<(Here, u64), ApplyError> {
        let (here, change) = self.difference(snapshot);
        let result = match change {
            Some(change) => self.write(change),
            None if self.state_known => self.write(Change::everything(&self.in_full(snapshot), &here)),
            None => self.rewrite(snapshot, &here),
        };
        let writes = match result {
            // What was freed a moment ago may be all that is missing.
            Err(ApplyError::Full(_)) => self.rewrite(snapshot, &here),
            other => other,
        }?;
        Ok((here, writes))
    }

    /// Reads the tables anew and writes back whatever differs from what was last applied: drift.
    pub fn audit(&mut self) -> Result<Applied, ApplyError> {
        let Some((snapshot, place)) = self.applied.clone() else { return Ok(self.counted(0)) };
        let writes = self.rewrite(&snapshot, &place)?;
        self.settled(&snapshot, place, writes)
    }

    /// Where this node is by this snapshot, and what differs from what was applied last. `None`: that is not known, or
    /// everything may differ.
    fn difference(&self, snapshot: &Snapshot) -> (Here, Option<Change<'static>>) {
        let Some((before, was)) = self.applied.as_ref().filter(|_| self.state_known) else {
            return (Here::of_node(&self.config.node, snapshot), None);
        };
        let delta = Delta::between(before, snapshot);
        let here = was.after(&delta.workloads);
        let stays = Place::eq(&here, was);
        (here, stays.then(|| Change::of(&self.state, delta, snapshot, was)))
    }

    /// Plans and executes; the state is known again only if this succeeds.
    fn write(&mut self, change: Change<'_>) -> Result<u64, ApplyError> {
        self.state_known = false;
        let stores = tables::plan(&mut self.state, change)?;
        let writes = self.execute(&stores)?;
        self.state_known = true;
        Ok(writes)
    }

    fn execute(&mut self, stores: &[Store]) -> Result<u64, ApplyError> {
        if self.barrier_due && !stores.is_empty() {
            sys::wait_for_programs().map_err(ApplyError::Barrier)?;
            self.barrier_due = false;
        }
        self.live.execute(stores)
    }

    /// Plans on what the tables say, not on what they are believed to say.
    pub(super) fn rewrite(&mut self, snapshot: &Snapshot, place: &Place) -> Result<u64, ApplyError> {
        self.adopt()?;
        self.write(Change::everything(&self.in_full(snapshot), place))
    }

    pub(super) fn adopt(&mut self) -> Result<(), ApplyError> {
        self.live.read_frontends(&self.config.pins)?;
        let _outdated = self.begin_with(self.live.state(self.config.sizes));
        self.barrier_due = true;
        Ok(())
    }

    /// Gives what was there before.
    pub(super) fn begin_with(&mut self, state: State) -> State {
        self.state_known = true;
        self.reading += 1;
        mem::replace(&mut self.state, state)
    }

    /// After a failure: back to the last good state, of which nothing is lost.
    fn restore(&mut self, error: ApplyError) -> ApplyError {
        let restored = match self.applied.clone() {
            Some((snapshot, place)) => self.rewrite(&snapshot, &place).map(drop),
            None => self.adopt(),
        };
        if let Err(also) = restored {
            warn!(error = %also, "the last good state could not be written back");
        }
        error
    }

    fn settled(&mut self, snapshot: &Snapshot, here: Here, writes: u64) -> Result<Applied, ApplyError> {
        if cfg!(debug_assertions) {
            self.live.read_frontends(&self.config.pins)?;
            let wanted = lower_all(&self.in_full(snapshot), &here).collect();
            self.live.view.as_ref().map_or(Ok(()), |view| tables::check(&wanted, view))?;
        }
        self.applied = Some((snapshot.clone(), here));
        Ok(self.counted(writes))
    }

    pub(super) fn counted(&self, writes: u64) -> Applied {
        Applied { writes, services: self.state.service_count(), endpoints: self.state.endpoint_count() }
    }
}
