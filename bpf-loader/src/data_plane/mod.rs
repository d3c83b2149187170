//! The data plane of one node, as one thread of the agent drives it.

mod carry;
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

use std::{
    mem,
    path::PathBuf,
    time::{Duration, Instant},
};

use evermesh_model::{Delta, Here, Place, Snapshot};
use evermesh_pins::{Control, GenerationPins, Inventory, PinDir, Table, WriterLock, host::Cgroup, sys};
use evermesh_sentinel::Sentinel;
use nix::time::{ClockId, clock_gettime};
use tracing::warn;

pub use error::{ApplyError, StartError};
pub use freed::{Freed, Reusable};
pub use laid::Laid;
pub use look::{Look, Looked};
pub use start::{How, Standing, Started};
pub use trial::{Flows, Report};

use crate::{
    Object, TableSizes,
    generation::{
        self, Adoption, ChangeError, Direction, Interpreter, Observed, Records, Recovery, Stage, Step,
        Wanted, Watch, plan, recover,
    },
    lower::lower_all,
    tables::{self, Change, State, Store, TableWriter},
    tally::TallyError,
};
use carry::Carrying;
use live::Live;
use stand_by::{Due, StandBy};
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

    /// Leads the tables from what they say to `snapshot`. On an error they say what they said before.
    pub fn apply(&mut self, snapshot: &Snapshot) -> Result<Applied, ApplyError> {
        match self.lead_to(snapshot) {
            Ok((here, writes)) => self.settled(snapshot, here, writes),
            Err(error) => Err(self.restore(error)),
        }
    }

    /// Writes what differs from what was applied. Where this node is by that, and how many stores it took.
    fn lead_to(&mut self, snapshot: &Snapshot) -> Result<(Here, u64), ApplyError> {
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

    /// Changes to a new generation with this release's programs and at least the configured sizes, filled with what the
    /// tables say now: [`Self::try_generation`] and [`Self::commit`].
    pub fn change_generation(&mut self) -> Result<u32, ChangeError> {
        self.try_generation()?;
        self.commit()?;
        Ok(self.generation())
    }

    /// The same, and the old generation stands by, until [`Self::commit`] or [`Self::roll_back`].
    pub fn try_generation(&mut self) -> Result<(), ChangeError> {
        self.change_by(Carrying::planned(&self.config)?)
    }

    /// Leads traffic to this release's programs over frozen maps of the release before, which can start then:
    /// [`Self::try_step_down`] and [`Self::commit`].
    pub fn step_down(&mut self) -> Result<u32, ChangeError> {
        self.try_step_down()?;
        self.commit()?;
        Ok(self.generation())
    }

    /// The same, and the old generation stands by, until [`Self::commit`] or [`Self::roll_back`].
    pub fn try_step_down(&mut self) -> Result<(), ChangeError> {
        self.change_by(Carrying::down(&self.config)?)
    }

    /// Whether a generation is on trial.
    pub fn on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// What was seen of the generation on trial so far, if there is one.
    pub fn report(&mut self) -> Result<Option<Report>, ApplyError> {
        let Some(trial) = &self.trial else { return Ok(None) };
        let (generation, age, before) = (trial.change.to, trial.since.elapsed(), trial.before);
        let now = Flows::counted(&self.config.pins, generation, &self.live.pins)?;
        let differences = self.differences()?;
        let sentinels = self.trial.as_mut().and_then(|trial| trial.probe(&self.config.pins));
        Ok(Some(Report { generation, age, now, before, differences, sentinels }))
    }

    /// Stores that it would take to lead the tables to what was applied last.
    fn differences(&mut self) -> Result<usize, ApplyError> {
        let Some((snapshot, place)) = self.applied.clone() else { return Ok(0) };
        self.live.read_frontends(&self.config.pins)?;
        let mut found = self.live.state(self.config.sizes);
        Ok(tables::plan(&mut found, Change::everything(&self.in_full(&snapshot), &place))?.len())
    }

    /// The generation on trial stays, and the old one goes. Where that cannot be written down, the old one takes over again.
    pub fn commit(&mut self) -> Result<(), ChangeError> {
        let Some(Trial { change, carried, .. }) = &self.trial else { return Ok(()) };
        let steps = plan::committing(change, &self.observed()?.links, carried);
        self.dismiss_sentinel();
        let committed = self.run(&steps);
        if let Err(error @ ChangeError::Journal(_)) = &committed {
            self.roll_back(&error.to_string())?;
        }
        // Its sentinel goes last.
        self.trial = None;
        committed
    }

    fn change_by(&mut self, carrying: Carrying) -> Result<(), ChangeError> {
        let applied = self.applied.clone();
        self.change_to(self.live.number + 1, applied.as_ref(), carrying)
    }

    fn change_to(
        &mut self,
        number: u32,
        wanted: Option<&(Snapshot, Here)>,
        carrying: Carrying,
    ) -> Result<(), ChangeError> {
        if !self.state_known {
            self.adopt()?;
        }
        let fits = wanted.is_some_and(|(snapshot, _)| trial::with_sentinel(snapshot).is_ok());
        self.sentinel_stands = fits && self.config.sentinel.is_some();
        let Carrying { direction, tables: carried, lost, sizes: frozen, .. } = carrying;
        let (sizes, due, state) = self.next_state(frozen, wanted)?;
        let change = generation::Change {
            from: self.live.number,
            to: number,
            wanted: self.wanted(direction),
            stage: Stage::Making,
            lost,
        };
        let links = self.observed()?.links;
        let stores = state.as_stores();
        let mut fill = |writer: &mut TableWriter| Ok(writer.execute(&stores).map(drop)?);
        let mut interpreter = Interpreter::new(&self.config, &mut self.records, sizes, &mut fill)
            .toward(direction)
            .looking_at(change.from, &self.live.pins);
        let tried = interpreter.run(&plan::trying(&change, &links, &carried));
        let before = interpreter.flows_before();
        match tried.and_then(|()| self.take_over(change, carried, before, due, state)) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.undo(&error);
                Err(error)
            }
        }
    }

    fn open(&self, number: u32, pins: GenerationPins) -> Result<Live, ApplyError> {
        Live::open(&self.config.pins, number, pins, &self.config.object)
    }

    fn wanted(&self, direction: Direction) -> Wanted {
        let object = self.config.object.identity(direction.programs());
        Wanted { object, sizes: self.config.sizes }
    }

    /// What the next generation's tables will hold, in at least these sizes, and what leads those that stand by to the same. Nothing
    /// runs on the new ones yet, so what is free is free at once.
    fn next_state(
        &mut self,
        sizes: TableSizes,
        wanted: Option<&(Snapshot, Here)>,
    ) -> Result<(TableSizes, Option<Due>, State), ApplyError> {
        let mut sizes = sizes.max(self.state.sizes_in_use());
        let due = wanted.map(|mesh| self.plan_stand_by(sizes, mesh)).transpose()?.flatten();
        let mut state = self.state.clone();
        state.reuse_at_once();
        sizes = sizes.max(state.sizes_in_use());
        state.resize(sizes);
        if let Some((snapshot, place)) = wanted {
            let full = self.in_full(snapshot);
            let change = match &due {
                Some(_) => stand_by::added(snapshot, &full, &state, place),
                None => Change::everything(&full, place),
            };
            tables::plan(&mut state, change)?;
            state.reuse_at_once();
        }
        Ok((sizes, due, state))
    }

    fn take_over(
        &mut self,
        change: generation::Change,
        carried: Vec<Table>,
        before: Flows,
        due: Option<Due>,
        state: State,
    ) -> Result<(), ChangeError> {
        let pins = GenerationPins::read(&self.config.pins, change.to)?;
        let next = self.open(change.to, pins).map_err(ChangeError::Contents)?;
        let live = mem::replace(&mut self.live, next);
        let stand_by = StandBy::new(live, self.begin_with(state), due);
        self.barrier_due = false;
        let (since, sentinel) = (Instant::now(), self.post_sentinel());
        self.trial = Some(Trial { change, carried, before, stand_by, since, sentinel, passed: 0 });
        Ok(())
    }

    /// Leads traffic back and removes what was made. Whatever fails here, the next start does.
    fn undo(&mut self, error: &ChangeError) {
        self.sentinel_stands = false;
        let undone = self.observed().map_err(ChangeError::from).and_then(|observed| {
            match recover(self.records.journal.now(), &observed, &error.to_string()) {
                Recovery::Adopt(adoption) => self.run(&adoption.steps),
                Recovery::Fresh { .. } => Ok(()),
            }
        });
        if let Err(error) = undone {
            warn!(%error, "a change of generation was not undone; the next start will do it");
        }
        if !self.state_known
            && let Err(error) = self.adopt()
        {
            warn!(%error, "the tables are read anew before the next change");
        }
    }

    fn observed(&self) -> Result<Observed, evermesh_pins::InventoryError> {
        Ok(Observed::of(&Inventory::read(&self.config.pins)?))
    }

    /// Steps that fill no tables.
    fn run(&mut self, steps: &[Step]) -> Result<(), ChangeError> {
        let mut nothing = |_: &mut TableWriter| Ok(());
        Interpreter::new(&self.config, &mut self.records, self.config.sizes, &mut nothing).run(steps)
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
    fn rewrite(&mut self, snapshot: &Snapshot, place: &Place) -> Result<u64, ApplyError> {
        self.adopt()?;
        self.write(Change::everything(&self.in_full(snapshot), place))
    }

    /// What the tables should hold.
    fn in_full(&self, snapshot: &Snapshot) -> Snapshot {
        let full = self.sentinel_stands.then(|| trial::with_sentinel(snapshot).ok()).flatten();
        full.unwrap_or_else(|| snapshot.clone())
    }

    fn post_sentinel(&self) -> Option<Sentinel> {
        let program = self.config.sentinel.as_ref().filter(|_| self.sentinel_stands)?;
        let posted = trial::post_sentinel(&self.config.pins, program, &self.config.cgroup.path);
        posted.inspect_err(|reason| warn!(%reason, "no sentinel watches the new generation")).ok()
    }

    /// Its service goes from the tables. What is left of it there is found by the next audit.
    fn dismiss_sentinel(&mut self) {
        trial::forget_sentinel(&self.config.pins, &self.config.cgroup.path);
        self.sentinel_stands = false;
        if let Some((snapshot, place)) = self.applied.clone()
            && let Err(error) = self.rewrite(&snapshot, &place)
        {
            warn!(%error, "the sentinel's service still stands in the tables");
        }
    }

    fn adopt(&mut self) -> Result<(), ApplyError> {
        self.live.read_frontends(&self.config.pins)?;
        let _outdated = self.begin_with(self.live.state(self.config.sizes));
        self.barrier_due = true;
        Ok(())
    }

    /// Gives what was there before.
    fn begin_with(&mut self, state: State) -> State {
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

    fn counted(&self, writes: u64) -> Applied {
        Applied { writes, services: self.state.service_count(), endpoints: self.state.endpoint_count() }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
