use std::{fmt, io, sync::Arc};

use aya::Ebpf;
use evermesh_abi::control::{PHASE_STEADY, PHASE_SUSPENDED};
use evermesh_pins::{
    Control, ControlError, EnrolmentError, GenerationPins, InventoryError, RemovalError, Table,
    remove_bridge, remove_generation, sys,
};
use evermesh_sentinel::SentinelError;
use tracing::{debug, warn};

use super::{
    Baseline, BuildError, CarryError, Direction, JournalError, Moment, Programs, Records, RehearsalError,
    Step, SwitchError, carry, make, rehearse::rehearse, switch,
};
use crate::{
    ApplyError, Config, Flows, TableSizes,
    tables::{TableWriter, WriteError},
    tally::Counts,
};

/// Why a step failed. What was done before stays done; the next start finishes or undoes it.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A generation could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A link or `live` could not be changed.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// A frozen map could not be carried over.
    #[error(transparent)]
    Carry(#[from] CarryError),
    /// Enrolled pods could not be carried over.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The phase could not be written.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A generation could not be removed; it hooks nothing.
    #[error(transparent)]
    Removal(#[from] RemovalError),
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The new programs must not meet traffic.
    #[error(transparent)]
    Rehearsal(#[from] RehearsalError),
    /// The pins could not be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// Running programs could not be waited for.
    #[error("cannot wait for running programs to end: {0}")]
    Barrier(io::Error),
    /// The new tables do not hold what they should, or could not be filled.
    #[error(transparent)]
    Contents(#[from] ApplyError),
}

impl From<WriteError> for ChangeError {
    fn from(error: WriteError) -> Self {
        Self::Contents(error.into())
    }
}

type Told = dyn Fn(&Step, Moment) + Send + Sync;

/// Is told of every step before and after it is done.
#[derive(Clone)]
pub struct Watch(Arc<Told>);

impl Watch {
    /// Calls `told`.
    pub fn new(told: impl Fn(&Step, Moment) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    fn tell(&self, step: &Step, moment: Moment) {
        (self.0)(step, moment);
    }
}

impl Default for Watch {
    /// Writes them into the log.
    fn default() -> Self {
        Self::new(|step, moment| {
            if moment == Moment::Before {
                debug!("{step}");
            }
        })
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// What fills the tables of a new generation.
pub type Fill<'a> = &'a mut dyn FnMut(&mut TableWriter) -> Result<(), ApplyError>;

/// Does steps, one after the other. The one place that changes a generation, a link or `live`.
pub struct Interpreter<'a> {
    config: &'a Config,
    records: &'a mut Records,
    sizes: TableSizes,
    direction: Direction,
    fill: Fill<'a>,
    /// The maps and programs that are being made.
    made: Option<Ebpf>,
    /// The programs in between that are being made.
    bridge: Option<Ebpf>,
    /// Looks at the generation that shall be followed.
    baseline: Option<Baseline<'a>>,
    before: Flows,
}

impl fmt::Debug for Interpreter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter")
            .field("config", &self.config)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}

impl<'a> Interpreter<'a> {
    /// New generations get tables of these sizes, filled by `fill`, and are rehearsed if the configuration names a sentinel.
    pub fn new(config: &'a Config, records: &'a mut Records, sizes: TableSizes, fill: Fill<'a>) -> Self {
        Self {
            config,
            records,
            sizes,
            direction: Direction::Up,
            fill,
            made: None,
            bridge: None,
            baseline: None,
            before: Flows::default(),
        }
    }

    /// The same, and frozen maps are brought in that direction.
    #[must_use]
    pub fn toward(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// The same, going on with maps and programs that another one has made.
    #[must_use]
    pub fn with(self, made: Option<Ebpf>) -> Self {
        Self { made, ..self }
    }

    /// The same, and what is to be compared with how flows fare afterwards is looked at meanwhile.
    #[must_use]
    pub fn looking_at(self, generation: u32, found: &'a GenerationPins) -> Self {
        let Config { pins, baseline, .. } = self.config;
        Self { baseline: Some(Baseline::begin(pins, generation, found, *baseline)), ..self }
    }

    /// How flows fared before they were led elsewhere.
    pub fn flows_before(&self) -> Flows {
        self.before
    }

    /// Maps and programs of a generation that is not finished yet.
    pub fn into_made(self) -> Option<Ebpf> {
        self.made
    }

    /// Does all of them, up to the first that fails.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), ChangeError> {
        for step in steps {
            self.config.watch.tell(step, Moment::Before);
            self.perform(step)?;
            self.baseline.iter_mut().for_each(Baseline::look);
            self.config.watch.tell(step, Moment::After);
        }
        Ok(())
    }

    fn perform(&mut self, step: &Step) -> Result<(), ChangeError> {
        let (pins, direction) = (&self.config.pins, self.direction);
        match *step {
            Step::Record(ref entry) => self.records.journal.write(entry)?,
            Step::MakeRoom { generation } => make::room(pins, generation)?,
            Step::MakeMaps { ref carried, .. } => {
                self.made = Some(make::maps(Some(pins), &self.config.object, direction, self.sizes, carried)?)
            }
            Step::PinTable { generation, table } => {
                make::pin_table(self.made()?, table.symbol(), pins.table(generation, table))?
            }
            Step::PinCarried { generation, table } => {
                make::directory(pins.carried(generation))?;
                let pin = pins.carried_map(generation, table);
                make::pin_table(self.made()?, direction.map(table), pin)?
            }
            Step::MakeBridge { generation, end } => {
                self.bridge = Some(carry::bridge(pins, &self.config.object, direction, generation, end)?)
            }
            Step::LoadProgram { of, hook } => make::load_program(self.programs(of)?, hook)?,
            Step::PinProgram { of, hook } => make::pin_program(self.programs(of)?, hook, of.pin(pins, hook))?,
            Step::Fill { generation } => {
                let built = GenerationPins::read(pins, generation)?;
                (self.fill)(&mut TableWriter::new(|table| built.tables.get(&table))?)?;
            }
            Step::Finish { generation } => {
                let object = self.config.object.identity(direction.programs());
                make::manifest(pins, object, generation)?;
                (self.made, self.bridge) = (None, None);
            }
            Step::Rehearse { .. } => self.rehearse()?,
            Step::Look { .. } => {
                self.before = self.baseline.take().map(Baseline::complete).unwrap_or_default()
            }
            Step::Attach { hook, generation } => switch::attach(pins, &self.config.cgroup, hook, generation)?,
            Step::Switch { hook, from, to } => switch::switch(pins, hook, from, to)?,
            Step::Barrier => sys::wait_for_programs().map_err(ChangeError::Barrier)?,
            Step::Suspend => Control::open(pins)?.set_phase(PHASE_SUSPENDED)?,
            Step::Resume => Control::open(pins)?.set_phase(PHASE_STEADY)?,
            Step::Sweep { generation, table: Table::Enrolled } => carry::pods(pins, generation)?,
            Step::Sweep { generation, table } => carry::sweep(pins, direction, generation, table)?,
            Step::CountLost { table } => self.count_lost(table),
            Step::Replace { generation, table } => carry::replace(pins, generation, table)?,
            Step::RemoveBridge { generation } => remove_bridge(pins, generation)?,
            Step::MakeLive { generation } => switch::make_live(pins, generation)?,
            Step::BeginTally => self.records.tally.begin(),
            Step::Count { generation } => self.count(generation),
            Step::Remove { generation } => remove_generation(pins, generation)?,
        }
        Ok(())
    }

    /// What cannot be read is lost, and keeps nothing from going on.
    fn count(&mut self, generation: u32) {
        let pins = &self.config.pins;
        let read = GenerationPins::read(pins, generation).map_err(|error| error.to_string());
        let counts = read.and_then(|found| Counts::of(pins, generation, &found).map_err(|e| e.to_string()));
        match counts {
            Ok(counts) => counts.into_iter().for_each(|counts| self.records.tally.add(counts)),
            Err(reason) => warn!(reason, "what generation {generation} has counted is lost"),
        }
    }

    /// It was declared, so it is lost whether or not it can be counted.
    fn count_lost(&mut self, table: Table) {
        match carry::lost(&self.config.pins, table) {
            Ok(counts) => self.records.lose(table, counts),
            Err(error) => warn!(%error, "what is lost with {table} is not known"),
        }
    }

    /// Where a sentinel cannot stand, traffic is the first to meet the new programs, and the gate sees how it fares.
    fn rehearse(&self) -> Result<(), RehearsalError> {
        let Config { object, sentinel, cgroup, .. } = self.config;
        let Some(program) = sentinel else { return Ok(()) };
        match rehearse(object, self.direction, program, &cgroup.path) {
            Err(RehearsalError::Sentinel(
                error @ (SentinelError::Cgroup { .. } | SentinelError::Unable(_)),
            )) => {
                warn!(%error, "the new programs are not rehearsed");
                Ok(())
            }
            done => done,
        }
    }

    fn programs(&mut self, of: Programs) -> Result<&mut Ebpf, BuildError> {
        match of {
            Programs::Of(_) => self.made(),
            Programs::Bridge(..) => self.bridge.as_mut().ok_or(BuildError::Part { name: "bridge" }),
        }
    }

    fn made(&mut self) -> Result<&mut Ebpf, BuildError> {
        self.made.as_mut().ok_or(BuildError::Part { name: "maps" })
    }
}
