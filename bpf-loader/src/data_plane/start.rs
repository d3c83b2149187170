//! How a node begins: what stands is read, put in order and adopted, or made where there is nothing.

use std::fmt;

use aya::Ebpf;
use evermesh_model::{Here, Snapshot};
use evermesh_pins::{
    Control, GenerationPins, Inventory, Table, WriterLock,
    layout::{Kernel, Known},
};

use super::{Applied, ApplyError, Config, DataPlane, StartError, carry::Carrying, live::Live, trial};
use crate::{
    generation::{Adoption, ChangeError, Interpreter, Observed, Records, Recovery, Step, plan, recover},
    tables::{self, Change, State, TableWriter},
};

/// What a start found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The live generation.
    pub generation: u32,
    /// How it came to be.
    pub how: How,
    /// Stores performed, and what stands in the tables now.
    pub applied: Applied,
    /// What else was done, for people.
    pub notes: Vec<String>,
}

impl Started {
    /// Whether the live generation is still to be committed or rolled back.
    pub fn on_trial(&self) -> bool {
        matches!(self.how, How::Changed { .. })
    }
}

/// How a start got its live generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Nothing stood there.
    Fresh,
    /// What stood there goes on.
    Adopted,
    /// What stood there was replaced under traffic.
    Changed {
        /// The generation that was live.
        from: u32,
        /// Why it did not do.
        reason: String,
    },
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("fresh"),
            Self::Adopted => f.write_str("adopted"),
            Self::Changed { from, reason } => write!(f, "changed from generation {from}: {reason}"),
        }
    }
}

/// What stands on this node, read and checked. Nothing is changed yet, and nobody else may write meanwhile.
#[derive(Debug)]
pub struct Standing {
    pub(super) config: Config,
    lock: WriterLock,
    records: Records,
    found: Found,
    notes: Vec<String>,
}

#[derive(Debug)]
enum Found {
    /// Nothing that is live: the number of the generation to be made, what is still to be done for it, and what was made
    /// of it already.
    Nothing {
        number: u32,
        steps: Vec<Step>,
        made: Option<Ebpf>,
    },
    Live(Box<Adopted>),
}

/// The generation that stays, and what its tables say.
#[derive(Debug)]
pub(super) struct Adopted {
    pub adoption: Adoption,
    pub live: Live,
    pub state: State,
}

impl Adopted {
    /// Whether a start would leave it as it is, but for what its tables say.
    pub fn may_stay(&self, config: &Config) -> bool {
        let Ok(carrying) = Carrying::planned(config) else { return false };
        let is_due = why_change(config, &self.adoption, &self.live, &self.state, &carrying).is_some();
        self.adoption.steps.is_empty() && !is_due
    }
}

impl Standing {
    /// Waits for a writer that is about to end, reads the pins, checks them, and adopts the tables that stay.
    pub fn read(config: Config) -> Result<Self, StartError> {
        let path = config.pins.root().to_owned();
        std::fs::create_dir_all(&path).map_err(|source| StartError::Directory { path, source })?;
        let lock = WriterLock::acquire(&config.pins, DataPlane::PATIENCE)?;
        let mut inventory = Inventory::read(&config.pins)?;
        let mut findings = evermesh_pins::verify(&config.pins, &inventory, &config.cgroup);
        let records = Records::open(&config.state_dir);
        let goes = going(&config, &records, &inventory);
        let notes =
            findings.extract_if(.., |finding| finding.is_left_alone()).map(|it| it.to_string()).collect();
        findings.retain(|finding| {
            !finding.is_mended_by_a_start() && !goes.iter().any(|table| finding.is_about(*table))
        });
        if !findings.is_empty() {
            return Err(StartError::Findings(findings));
        }
        let found = match recover(records.journal.now(), &Observed::of(&inventory), "its agent ended") {
            Recovery::Fresh { number, remove, suspended } => {
                let steps = plan::first(number, &remove, suspended, &left_behind(&inventory));
                Found::Nothing { number, steps, made: None }
            }
            Recovery::Adopt(adoption) => {
                let pins = inventory.generations.remove(&adoption.generation).unwrap_or_default();
                let live = Live::open(&config.pins, adoption.generation, pins, &config.object)?;
                let state = live.state(config.sizes);
                Found::Live(Box::new(Adopted { adoption, live, state }))
            }
        };
        Ok(Self { config, lock, records, found, notes })
    }

    pub(super) fn live(&self) -> Option<&Adopted> {
        match &self.found {
            Found::Live(adopted) => Some(adopted),
            Found::Nothing { .. } => None,
        }
    }

    /// Where nothing stands, makes maps and programs, which takes a while and no snapshot. Traffic does not meet them, and where
    /// this start goes no further the next one removes them.
    pub fn make_ahead(mut self) -> Result<Self, StartError> {
        if let Found::Nothing { steps, made, .. } = &mut self.found {
            let (first, rest) = plan::ahead(steps);
            let mut nothing = |_: &mut TableWriter| Ok(());
            let (config, records) = (&self.config, &mut self.records);
            let mut interpreter = Interpreter::new(config, records, config.sizes, &mut nothing);
            interpreter.run(first)?;
            *made = interpreter.into_made();
            *steps = rest.to_vec();
        }
        Ok(self)
    }

    /// Undoes or finishes a change of generation that was interrupted, and leads the tables to `snapshot`; `None`: nothing
    /// is known yet, and they stay as they are. No failure here detaches anything.
    pub fn lead_to(self, snapshot: Option<&Snapshot>) -> Result<(DataPlane, Started), StartError> {
        let Self { config, lock, records, found, notes } = self;
        let (plane, mut started) = match found {
            Found::Nothing { number, steps, made } => {
                DataPlane::fresh(config, lock, records, number, &steps, made, snapshot)?
            }
            Found::Live(adopted) => {
                let Adopted { adoption, live, state } = *adopted;
                DataPlane::over(config, lock, records, live, state)?.take(&adoption, snapshot)?
            }
        };
        started.notes.extend(notes);
        Ok((plane, started))
    }

    /// Undoes or finishes a change of generation that was interrupted, and changes nothing else; none: nothing is live.
    pub fn settle(self) -> Result<Option<DataPlane>, StartError> {
        let Self { config, lock, records, found, .. } = self;
        let Found::Live(adopted) = found else { return Ok(None) };
        let Adopted { adoption, live, state } = *adopted;
        let mut plane = DataPlane::over(config, lock, records, live, state)?;
        plane.finish(&adoption, None, &mut Vec::new())?;
        Ok(Some(plane))
    }
}

impl DataPlane {
    /// Adopts what stands, then reconciles it with `snapshot`: [`Standing::read`] and [`Standing::lead_to`].
    pub fn start(config: Config, snapshot: Option<&Snapshot>) -> Result<(Self, Started), StartError> {
        Standing::read(config)?.lead_to(snapshot)
    }

    /// Over a generation whose tables say `state`. Nothing was applied yet, and what is free may still be in use.
    fn over(
        config: Config,
        lock: WriterLock,
        records: Records,
        live: Live,
        state: State,
    ) -> Result<Self, StartError> {
        let control = Control::open(&config.pins)?;
        control.initialise()?;
        Ok(Self {
            config,
            control,
            records,
            trial: None,
            sentinel_stands: false,
            live,
            state,
            reading: 0,
            state_known: true,
            applied: None,
            barrier_due: true,
            _lock: lock,
        })
    }

    fn fresh(
        config: Config,
        lock: WriterLock,
        mut records: Records,
        number: u32,
        steps: &[Step],
        made: Option<Ebpf>,
        snapshot: Option<&Snapshot>,
    ) -> Result<(Self, Started), StartError> {
        let mut state = State::empty(config.sizes);
        let applied = snapshot.map(|it| (it.clone(), Here::of_node(&config.node, it)));
        let mut writes = 0;
        let mut fill = |writer: &mut TableWriter| {
            let Some((snapshot, place)) = &applied else { return Ok(()) };
            tables::plan_in_parts(&mut state, Change::everything(snapshot, place), |part| {
                writes += writer.execute(part)?;
                Ok::<_, ApplyError>(())
            })
        };
        Interpreter::new(&config, &mut records, config.sizes, &mut fill).with(made).run(steps)?;
        let pins = &config.pins;
        let live = Live::open(pins, number, GenerationPins::read(pins, number)?, &config.object)?;
        let mut plane =
            Self { applied, barrier_due: false, ..Self::over(config, lock, records, live, state)? };
        plane.begin_lease()?;
        let applied = plane.counted(writes);
        let left = steps.iter().filter_map(note_of_what_was_left);
        let notes = plane.take_notes().into_iter().chain(left).collect();
        Ok((plane, Started { generation: number, how: How::Fresh, applied, notes }))
    }

    fn take(
        mut self,
        adoption: &Adoption,
        snapshot: Option<&Snapshot>,
    ) -> Result<(Self, Started), StartError> {
        let mut notes = adoption.notes.clone();
        notes.extend(self.live.note());
        self.finish(adoption, snapshot, &mut notes)?;
        let carrying = Carrying::planned(&self.config)?;
        notes.extend(carrying.notes.clone());
        let changed = match why_change(&self.config, adoption, &self.live, &self.state, &carrying) {
            Some(reason) => self.try_to_change(adoption, carrying, reason, snapshot, &mut notes)?,
            None => None,
        };
        let (how, applied) = match changed {
            Some(how) => (how, self.counted(0)),
            None => (How::Adopted, self.reconcile(snapshot, &mut notes)?),
        };
        self.begin_lease()?;
        notes.extend(self.take_notes());
        let generation = self.generation();
        Ok((self, Started { generation, how, applied, notes }))
    }

    /// What a change that was interrupted has left behind.
    fn finish(
        &mut self,
        adoption: &Adoption,
        snapshot: Option<&Snapshot>,
        notes: &mut Vec<String>,
    ) -> Result<(), StartError> {
        trial::forget_sentinel(&self.config.pins, &self.config.cgroup.path);
        if adoption.steps.is_empty() {
            return Ok(());
        }
        // Links come back to tables that are up to date. Where these cannot be written, links come back all the same.
        let reconciled = self.reconcile(snapshot, notes);
        self.run(&adoption.steps)?;
        Ok(reconciled.map(drop)?)
    }

    /// A change that does not succeed leaves what stands, and a note; a candidate is told.
    fn try_to_change(
        &mut self,
        adoption: &Adoption,
        carrying: Carrying,
        reason: String,
        snapshot: Option<&Snapshot>,
        notes: &mut Vec<String>,
    ) -> Result<Option<How>, StartError> {
        let from = adoption.generation;
        if snapshot.is_none() && self.live.view.is_none() {
            notes.push(format!("generation {from} stays, although it was to change ({reason}): its tables cannot be read, and nothing else is known"));
            return Ok(None);
        }
        if let Some(failures) = self
            .records
            .journal
            .now()
            .holds(&self.wanted(carrying.direction))
            .filter(|_| !self.config.candidate)
        {
            let (count, last) = (failures.count, &failures.reason);
            notes.push(format!("generation {from} stays, although it was to change ({reason}): a change was undone {count} times, last because {last}"));
            return Ok(None);
        }
        let wanted = snapshot.map(|it| (it.clone(), Here::of_node(&self.config.node, it)));
        match self.change_to(adoption.next, wanted.as_ref(), carrying) {
            Ok(()) => {
                self.applied = wanted;
                Ok(Some(How::Changed { from, reason }))
            }
            Err(ChangeError::Contents(error)) => Err(error.into()),
            Err(error) if self.config.candidate => Err(error.into()),
            Err(error) => {
                notes.push(format!("generation {from} stays, although it was to change ({reason}): {error}"));
                Ok(None)
            }
        }
    }

    /// Tables of another layout are brought up to date as far as that goes.
    fn reconcile(
        &mut self,
        snapshot: Option<&Snapshot>,
        notes: &mut Vec<String>,
    ) -> Result<Applied, ApplyError> {
        let applied = snapshot.map_or(Ok(self.counted(0)), |snapshot| self.apply(snapshot));
        match applied {
            Err(error) if !self.live.ways.are_own() => {
                notes.push(format!("generation {} is not up to date in full: {error}", self.generation()));
                self.adopt()?;
                Ok(self.counted(0))
            }
            applied => applied,
        }
    }
}

/// Frozen maps that need not be of a layout that is known: those whose loss is declared, or was for a change that is still to be undone
/// or finished, and those in whose place the live generation puts another one.
fn going(config: &Config, records: &Records, inventory: &Inventory) -> Vec<Table> {
    let Some(live) = inventory.live.and_then(|live| inventory.generations.get(&live)) else {
        return Vec::new();
    };
    let begun = records.journal.now().change.iter().flat_map(|change| &change.lost);
    config.accept_loss.iter().chain(begun).chain(live.carried.keys()).copied().collect()
}

/// Frozen maps of other layouts than this release's own, without a generation that uses them: a removal was interrupted.
fn left_behind(inventory: &Inventory) -> Vec<Table> {
    let mut kernel = Kernel::default();
    let mut is_other = |table: &Table| {
        let pin = inventory.frozen.get(table);
        pin.is_some_and(|pin| kernel.known(*table, &pin.info) != Ok(Known::Own))
    };
    Table::BROUGHT.into_iter().filter(|table| is_other(table)).collect()
}

fn note_of_what_was_left(step: &Step) -> Option<String> {
    let Step::Replace { table, .. } = step else { return None };
    Some(format!("{table} was left in another layout by a removal that was interrupted, and came over"))
}

/// Why the live generation does not do, if so. Tables shrink no further than what is in use allows.
fn why_change(
    config: &Config,
    adoption: &Adoption,
    live: &Live,
    state: &State,
    carrying: &Carrying,
) -> Option<String> {
    if adoption.object != config.object.digest() {
        return Some("other programs".to_owned());
    }
    let wanted = config.sizes.max(state.sizes_in_use());
    let resized = |table: &Table| {
        let (now, then) = (live.pins.tables.get(table)?.info.max_entries, wanted.entries(*table));
        (now != then).then(|| format!("{table} resized from {now} to {then} entries"))
    };
    Table::OF_GENERATION.iter().find_map(resized).or_else(|| carrying.reason.clone())
}
