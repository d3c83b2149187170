//! The data plane of one node, as one thread of the agent drives it.

mod apply;
mod carry;
mod change;
mod error;
mod freed;
mod laid;
mod live;
mod look;
mod loss;
mod pods;
mod stand_by;
mod start;
mod trial;

use std::{path::PathBuf, time::Duration};

use evermesh_model::{Here, Snapshot};
use evermesh_pins::{Control, GenerationPins, PinDir, Table, WriterLock, host::Cgroup};
use nix::time::{ClockId, clock_gettime};

pub use error::{ApplyError, StartError};
pub use freed::{Freed, Reusable};
pub use laid::Laid;
pub use look::{Look, Looked};
pub use start::{How, Standing, Started};
pub use trial::{Flows, Report};

use crate::{
    Object, TableSizes,
    generation::{Records, Watch},
    tables::State,
    tally::TallyError,
};
use live::Live;
use trial::Trial;

/// Where the data plane stands and how large it is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The pin directory.
    pub pins: PinDir,
    /// The cgroup that is hooked.
    pub cgroup: Cgroup,
    /// Name of this node, which tells its place; empty: not known.
    pub node: String,
    /// How long the agent may be silent before new flows are left alone; zero: for ever.
    pub lease: Duration,
    /// Table sizes. Tables are made larger where what is in use does not fit.
    pub sizes: TableSizes,
    /// The kernel programs.
    pub object: Object,
    /// Where the journal of changes of generation is kept, and what generations before have counted.
    pub state_dir: PathBuf,
    /// This release is on trial: where its programs cannot take over, it does not go on with what stands.
    pub candidate: bool,
    /// Frozen maps that may be brought without what stands in them, where nobody can carry it over.
    pub accept_loss: Vec<Table>,
    /// The program that is a sentinel; none: new generations are tried without one.
    pub sentinel: Option<PathBuf>,
    /// For how long, at the least, it is looked how flows fare on a generation before another one follows it.
    pub baseline: Duration,
    /// Is told of every step of a start and of a change of generation.
    pub watch: Watch,
}

impl Config {
    /// A data plane at these places, with the defaults for all else.
    pub fn new(pins: PinDir, cgroup: Cgroup, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            pins,
            cgroup,
            node: String::new(),
            lease: Duration::ZERO,
            sizes: TableSizes::default(),
            object: Object::default(),
            state_dir: state_dir.into(),
            candidate: false,
            accept_loss: Vec::new(),
            sentinel: None,
            baseline: Duration::ZERO,
            watch: Watch::default(),
        }
    }
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
    records: Records,
    /// The live generation follows another one, which stands by until this one is committed.
    trial: Option<Trial>,
    /// The tables hold the sentinel's service beside the mesh.
    sentinel_stands: bool,
    live: Live,
    state: State,
    /// How often the tables were read: what was freed before says nothing of a state that was read later.
    reading: u64,
    /// Whether `state` is what the tables say; not after a change that failed half-way.
    state_known: bool,
    /// The last snapshot that was applied whole, and where this node is by it.
    applied: Option<(Snapshot, Here)>,
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

    /// Brings to the disk what generations before have counted, where that failed.
    pub fn keep_tally(&mut self) -> Result<(), TallyError> {
        self.records.tally.keep()
    }

    /// What there is to say to people of what was lost or could not be kept, and was not said yet.
    pub fn take_notes(&mut self) -> Vec<String> {
        self.records.take_notes()
    }

    /// Says in `control` that the agent is alive.
    pub fn beat(&self) -> Result<(), ApplyError> {
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(|errno| ApplyError::Clock(errno.into()))?;
        Ok(self.control.beat(nanoseconds(Duration::from(now)))?)
    }

    /// Beats first, so that a lease never begins with the heartbeat of an agent before.
    fn begin_lease(&self) -> Result<(), ApplyError> {
        self.beat()?;
        Ok(self.control.set_lease(nanoseconds(self.config.lease))?)
    }

    fn open(&self, number: u32, pins: GenerationPins) -> Result<Live, ApplyError> {
        Live::open(&self.config.pins, number, pins, &self.config.object)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
