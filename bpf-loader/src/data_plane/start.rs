use std::fmt;

use evermesh_pins::{GenerationPins, Table};

use super::*;

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
    config: Config,
    lock: WriterLock,
    inventory: Inventory,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// Nothing that is live: the number of the generation to be made, and those to be removed before.
    Nothing {
        number: u32,
        remove: Vec<u32>,
    },
    Live(Box<Adopted>),
}

/// The live generation, and what its tables say.
#[derive(Debug)]
struct Adopted {
    adoption: Adoption,
    live: Live,
    state: State,
}

impl Standing {
    /// Waits for a writer that is about to end, reads the pins, checks them, and adopts the tables that are live.
    pub fn read(config: Config) -> Result<Self, StartError> {
        let path = config.pins.root().to_owned();
        std::fs::create_dir_all(&path).map_err(|source| StartError::Directory { path, source })?;
        let lock = WriterLock::acquire(&config.pins, DataPlane::PATIENCE)?;
        let mut inventory = Inventory::read(&config.pins)?;
        let findings = evermesh_pins::verify(&config.pins, &inventory, &config.cgroup);
        if !findings.is_empty() {
            return Err(StartError::Findings(findings));
        }
        let found = match decide(&inventory, &object::digest()) {
            Decision::Build { number, remove } => Found::Nothing { number, remove },
            Decision::Adopt(adoption) => {
                let pins = inventory.generations.remove(&adoption.live).unwrap_or_default();
                let live = Live::open(&config.pins, adoption.live, pins)?;
                let state = tables::adopt(&live.view);
                Found::Live(Box::new(Adopted { adoption, live, state }))
            }
        };
        Ok(Self { config, lock, inventory, found })
    }

    /// Undoes what an interrupted change of generation left behind, and leads the tables to `snapshot`; `None`: nothing
    /// is known yet, and they stay as they are. No failure here detaches anything.
    pub fn lead_to(self, snapshot: Option<&Snapshot>) -> Result<(DataPlane, Started), StartError> {
        let Self { config, lock, inventory, found } = self;
        match found {
            Found::Nothing { number, remove } => DataPlane::fresh(config, lock, number, &remove, snapshot),
            Found::Live(adopted) => {
                let Adopted { adoption, live, state } = *adopted;
                let notes = clean_up(&config.pins, &inventory, &live.pins, &adoption)?;
                let control = Control::open(&config.pins)?;
                control.initialise()?;
                let plane = DataPlane {
                    config,
                    control,
                    live,
                    state,
                    state_known: true,
                    applied: None,
                    barrier_due: true,
                    _lock: lock,
                };
                plane.take(&adoption, notes, snapshot)
            }
        }
    }
}

impl DataPlane {
    /// Adopts what stands, then reconciles it with `snapshot`: [`Standing::read`] and [`Standing::lead_to`].
    pub fn start(config: Config, snapshot: Option<&Snapshot>) -> Result<(Self, Started), StartError> {
        Standing::read(config)?.lead_to(snapshot)
    }

    fn fresh(
        config: Config,
        lock: WriterLock,
        number: u32,
        remove: &[u32],
        snapshot: Option<&Snapshot>,
    ) -> Result<(Self, Started), StartError> {
        for &unfinished in remove {
            remove_generation(&config.pins, unfinished)?;
        }
        let mut state = State::empty(config.sizes);
        let applied = snapshot.map(|it| (it.clone(), Place::of_node(&config.node, it)));
        let mut writes = 0;
        let built = generation::build(&config.pins, number, config.sizes, |writer| {
            let Some((snapshot, place)) = &applied else { return Ok(()) };
            tables::plan_in_parts(&mut state, Change::everything(snapshot, place), |part| {
                writes += writer.execute(part)?;
                Ok::<_, ApplyError>(())
            })
        })?;
        let control = Control::open(&config.pins)?;
        control.initialise()?;
        generation::make_live(&config.pins, number)?;
        generation::attach_missing(&config.pins, &config.cgroup, &built.pins, &evermesh_pins::Hook::ALL)?;
        let live = Live::open(&config.pins, number, built.pins)?;
        let plane = Self {
            config,
            control,
            live,
            state,
            state_known: true,
            applied,
            barrier_due: false,
            _lock: lock,
        };
        plane.begin_lease()?;
        let applied = plane.counted(writes);
        Ok((plane, Started { generation: number, how: How::Fresh, applied, notes: Vec::new() }))
    }

    fn take(
        mut self,
        adoption: &Adoption,
        notes: Vec<String>,
        snapshot: Option<&Snapshot>,
    ) -> Result<(Self, Started), StartError> {
        let (how, applied) = match self.why_change(adoption) {
            Some(reason) => {
                let wanted = snapshot.map(|it| (it.clone(), Place::of_node(&self.config.node, it)));
                self.change_to(adoption.next, wanted.as_ref())?;
                self.applied = wanted;
                (How::Changed { from: adoption.live, reason }, self.counted(0))
            }
            None => (How::Adopted, self.reconcile(snapshot)?),
        };
        let (pins, cgroup) = (&self.config.pins, &self.config.cgroup);
        generation::attach_missing(pins, cgroup, &self.live.pins, &adoption.attach)?;
        self.begin_lease()?;
        let generation = self.generation();
        Ok((self, Started { generation, how, applied, notes }))
    }

    /// Why the live generation does not do, if so. Tables shrink no further than what is in use allows.
    fn why_change(&self, adoption: &Adoption) -> Option<String> {
        if adoption.other_programs {
            return Some("other programs".to_owned());
        }
        let wanted = self.config.sizes.max(self.state.sizes_in_use());
        let resized = |table: &Table| {
            let (now, then) = (self.live.pins.tables.get(table)?.info.max_entries, wanted.entries(*table));
            (now != then).then(|| format!("{table} resized from {now} to {then} entries"))
        };
        Table::OF_GENERATION.iter().find_map(resized)
    }

    fn reconcile(&mut self, snapshot: Option<&Snapshot>) -> Result<Applied, ApplyError> {
        snapshot.map_or(Ok(self.counted(0)), |snapshot| self.apply(snapshot))
    }
}

/// Undoes what an interrupted change of generation left behind.
pub(super) fn clean_up(
    pins: &PinDir,
    inventory: &Inventory,
    live: &GenerationPins,
    adoption: &Adoption,
) -> Result<Vec<String>, StartError> {
    let mut notes = Vec::new();
    for (hook, other) in &adoption.switch_back {
        if let Some(from) = inventory.generations.get(other) {
            generation::switch_links(pins, &[*hook], from, live)?;
            notes.push(format!("{hook} was led back from generation {other} to {}", adoption.live));
        }
    }
    if !adoption.switch_back.is_empty() {
        barrier().map_err(ApplyError::Barrier)?;
    }
    for &number in &adoption.remove {
        remove_generation(pins, number)?;
        notes.push(format!("generation {number} was removed: it was not live"));
    }
    notes.extend(adoption.attach.iter().map(|hook| format!("{hook} had no link and was attached")));
    Ok(notes)
}
