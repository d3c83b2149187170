//! The data plane of one node, as one thread of the agent drives it.

mod error;
mod live;
mod start;

use std::{collections::BTreeMap, time::Duration};

use evermesh_model::{Delta, ServiceKey, Snapshot};
use evermesh_pins::{Control, Inventory, PinDir, WriterLock, host::Cgroup, remove_generation};
use nix::time::{ClockId, clock_gettime};
use tracing::warn;

pub use error::{ApplyError, StartError};
pub use start::{How, Started};

use crate::{
    TableSizes, barrier,
    generation::{self, Adoption, Built, Decision, decide},
    lower::{Lowered, lower, lower_all},
    object,
    tables::{self, Change, State, Store},
};
use live::Live;

/// Where the data plane stands and how large it is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The pin directory.
    pub pins: PinDir,
    /// The cgroup that is hooked.
    pub cgroup: Cgroup,
    /// Table sizes. Tables are made larger where what is in use does not fit.
    pub sizes: TableSizes,
}

/// What an `apply` or `audit` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Stores performed; 0: the tables already said what they should.
    pub writes: u64,
    /// Service ports that stand in the tables, each address family counted.
    pub services: usize,
    /// Endpoints that stand in the tables, counted once for each service port.
    pub endpoints: usize,
}

/// The tables, links and generations of this node. There is one writer at a time.
#[derive(Debug)]
pub struct DataPlane {
    config: Config,
    control: Control,
    live: Live,
    state: State,
    /// The last snapshot that was applied whole.
    applied: Option<Snapshot>,
    /// The free ids and slots were found by reading the tables: a program run may still hold some of them.
    barrier_due: bool,
    _lock: WriterLock,
}

impl DataPlane {
    /// How long a start waits for a writer that is about to end.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Number of the live generation.
    pub fn generation(&self) -> u32 {
        self.live.number
    }

    /// Leads the tables from what they say to `snapshot`. On an error they say what they said before.
    pub fn apply(&mut self, snapshot: &Snapshot) -> Result<Applied, ApplyError> {
        let result = self.write(|applied| match applied {
            Some(before) => Change::Services(changed(before, snapshot)),
            None => Change::Everything(lower_all(snapshot)),
        });
        let result = match result {
            // What was freed a moment ago may be all that is missing.
            Err(ApplyError::Full(_)) => self.rewrite(snapshot),
            other => other,
        };
        match result {
            Ok(writes) => self.settled(snapshot, writes),
            Err(error) => Err(self.restore(error)),
        }
    }

    /// Reads the tables anew and writes back whatever differs from what was last applied: drift.
    pub fn audit(&mut self) -> Result<Applied, ApplyError> {
        let Some(snapshot) = self.applied.clone() else { return Ok(self.counted(0)) };
        let writes = self.rewrite(&snapshot)?;
        self.settled(&snapshot, writes)
    }

    /// Makes what was freed usable again, after a barrier of 8 to 16 ms.
    pub fn reclaim(&mut self) -> Result<(), ApplyError> {
        let retired = self.state.take_retired();
        if !retired.is_empty() {
            barrier().map_err(ApplyError::Barrier)?;
            self.state.reuse(retired);
        }
        Ok(())
    }

    /// Says in `control` that the agent is alive.
    pub fn beat(&self) -> Result<(), ApplyError> {
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(|errno| ApplyError::Clock(errno.into()))?;
        Ok(self.control.beat(u64::try_from(Duration::from(now).as_nanos()).unwrap_or(u64::MAX))?)
    }

    /// Makes a new generation with this release's programs and at least the configured sizes, filled with what the tables say
    /// now, and switches to it. What was live is removed.
    pub fn change_generation(&mut self) -> Result<u32, ApplyError> {
        let next = self.live.number + 1;
        let snapshot = self.applied.clone();
        self.change_to(next, snapshot.as_ref())?;
        Ok(next)
    }

    fn change_to(&mut self, number: u32, snapshot: Option<&Snapshot>) -> Result<(), ApplyError> {
        let (sizes, state) = self.next_state(snapshot)?;
        let changed = generation::build(&self.config.pins, number, sizes, &state.as_stores())
            .map_err(ApplyError::from)
            .and_then(|built| self.switch_to(&built).map(|()| built));
        match changed {
            Ok(built) => self.take_over(built, state),
            Err(error) => {
                self.undo_change();
                Err(error)
            }
        }
    }

    /// What the next generation's tables will hold, in their sizes. Nothing runs on them yet, so what is free is free at once.
    fn next_state(&self, snapshot: Option<&Snapshot>) -> Result<(TableSizes, State), ApplyError> {
        let mut state = self.state.clone();
        let sizes = self.config.sizes.max(state.sizes_in_use());
        state.grow(sizes);
        let retired = state.take_retired();
        state.reuse(retired);
        if let Some(snapshot) = snapshot {
            tables::plan(&mut state, Change::Everything(lower_all(snapshot)))?;
            let retired = state.take_retired();
            state.reuse(retired);
        }
        Ok((sizes, state))
    }

    fn switch_to(&self, built: &Built) -> Result<(), ApplyError> {
        let attached = Inventory::read(&self.config.pins)?.links.into_keys().collect::<Vec<_>>();
        generation::switch_links(&self.config.pins, &attached, &self.live.pins, &built.pins)?;
        Ok(generation::make_live(&self.config.pins, built.number)?)
    }

    fn take_over(&mut self, built: Built, state: State) -> Result<(), ApplyError> {
        let old = self.live.number;
        self.live = Live::open(&self.config.pins, built.number, built.pins)?;
        self.state = state;
        self.barrier_due = false;
        barrier().map_err(ApplyError::Barrier)?;
        Ok(remove_generation(&self.config.pins, old)?)
    }

    /// Brings links back that were switched already and removes what was made. Whatever fails here, the next start does.
    fn undo_change(&self) {
        let pins = &self.config.pins;
        let undone = Inventory::read(pins).map_err(StartError::from).and_then(|inventory| {
            match decide(&inventory, &object::digest()) {
                Decision::Adopt(adoption) => start::clean_up(pins, &inventory, &adoption).map(drop),
                Decision::Build { .. } => Ok(()),
            }
        });
        if let Err(error) = undone {
            warn!(%error, "a change of generation was not undone; the next start will do it");
        }
    }

    /// Plans and executes; the state is right only if this succeeds.
    fn write(&mut self, change: impl FnOnce(Option<&Snapshot>) -> Change) -> Result<u64, ApplyError> {
        let stores = tables::plan(&mut self.state, change(self.applied.as_ref()))?;
        self.execute(&stores)
    }

    fn execute(&mut self, stores: &[Store]) -> Result<u64, ApplyError> {
        if self.barrier_due && !stores.is_empty() {
            barrier().map_err(ApplyError::Barrier)?;
            self.barrier_due = false;
        }
        Ok(self.live.writer.execute(stores)?)
    }

    /// Plans on what the tables say, not on what they are believed to say.
    fn rewrite(&mut self, snapshot: &Snapshot) -> Result<u64, ApplyError> {
        self.adopt()?;
        self.write(|_| Change::Everything(lower_all(snapshot)))
    }

    fn adopt(&mut self) -> Result<(), ApplyError> {
        self.live.read_frontends(&self.config.pins)?;
        self.state = tables::adopt(&self.live.view);
        self.barrier_due = true;
        Ok(())
    }

    /// After a failure: back to the last good state, of which nothing is lost.
    fn restore(&mut self, error: ApplyError) -> ApplyError {
        let restored = match self.applied.clone() {
            Some(snapshot) => self.rewrite(&snapshot).map(drop),
            None => self.adopt(),
        };
        if let Err(also) = restored {
            warn!(error = %also, "the last good state could not be written back");
        }
        error
    }

    fn settled(&mut self, snapshot: &Snapshot, writes: u64) -> Result<Applied, ApplyError> {
        self.applied = Some(snapshot.clone());
        if cfg!(debug_assertions) {
            self.live.read_frontends(&self.config.pins)?;
            tables::check(snapshot, &self.live.view)?;
        }
        Ok(self.counted(writes))
    }

    fn counted(&self, writes: u64) -> Applied {
        Applied { writes, services: self.state.service_count(), endpoints: self.state.endpoint_count() }
    }
}

fn changed(before: &Snapshot, after: &Snapshot) -> BTreeMap<ServiceKey, Option<Lowered>> {
    let delta = Delta::between(before, after);
    let lowered = delta.changed.into_iter().map(|key| {
        let lowered = after.service(&key).map(|service| lower(after, service));
        (key, lowered)
    });
    lowered.chain(delta.removed.into_iter().map(|key| (key, None))).collect()
}
