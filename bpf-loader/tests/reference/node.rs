//! A node whose tables are an image in memory.

use evermesh_loader::{
    TableSizes, lower_all,
    tables::{self, Change, Meaning, MemoryTables, State, Store},
};
use evermesh_model::{Delta, Place, Snapshot};
use evermesh_reference::history::NODE;

const SIZES: TableSizes = TableSizes { services: 64, endpoints: 24_576, ..TableSizes::DEFAULT };

/// Its stores are too many to look at the tables after each.
const A_MAGLEV_TABLE: usize = 4000;

/// What the agent does besides leading the tables to the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It has forgotten everything and reads the tables.
    Restart,
    /// What was freed has to wait.
    Nothing,
    /// What was freed is used again, after a barrier.
    Reclaim,
}

/// What a node gets wrong.
#[derive(Clone, Copy)]
pub struct Mistake {
    /// About the mesh.
    pub snapshot: fn(&Snapshot) -> Snapshot,
    /// About where it is.
    pub place: fn(Place) -> Place,
    /// About what it has to store.
    pub stores: fn(&mut Vec<Store>),
}

pub const NO_MISTAKE: Mistake = Mistake { snapshot: Snapshot::clone, place: |place| place, stores: |_| () };

pub struct Node {
    pub image: MemoryTables,
    /// Whether the tables are looked at after every single store, which takes long.
    pub watched: bool,
    /// What led neither where it had led before a step nor where it leads after it, if that was watched.
    pub stray: Option<String>,
    /// What was stored anew after a restart over tables that were right.
    pub rewritten: Vec<Store>,
    mistake: Mistake,
    state: State,
    applied: Option<(Snapshot, Place)>,
}

impl Node {
    pub fn new(mistake: Mistake) -> Self {
        Self {
            image: MemoryTables::new(SIZES),
            watched: false,
            stray: None,
            rewritten: Vec::new(),
            mistake,
            state: State::empty(SIZES),
            applied: None,
        }
    }

    pub fn step(&mut self, snapshot: &Snapshot, work: Work) {
        if work == Work::Restart {
            self.restart();
        }
        self.lead_to((self.mistake.snapshot)(snapshot));
        if work == Work::Reclaim {
            let retired = self.state.take_retired();
            self.state.reuse(retired);
        }
    }

    /// All that was applied last is planned again.
    fn restart(&mut self) {
        self.state = tables::adopt(&self.image);
        if let Some((snapshot, place)) = self.applied.take() {
            let everything = Change::everything(&snapshot, &place);
            self.rewritten.extend(tables::plan(&mut self.state.clone(), everything).unwrap());
        }
    }

    fn lead_to(&mut self, snapshot: Snapshot) {
        let place = (self.mistake.place)(Place::of_node(NODE, &snapshot));
        let change = match &self.applied {
            Some((before, was)) if *was == place => {
                Change::of(&self.state, Delta::between(before, &snapshot), &snapshot, &place)
            }
            _ => Change::everything(&snapshot, &place),
        };
        let mut stores = tables::plan(&mut self.state, change).unwrap();
        (self.mistake.stores)(&mut stores);
        match self.watched && stores.len() < A_MAGLEV_TABLE {
            true => self.store_and_watch(&stores, Meaning::of_model(&lower_all(&snapshot, &place).collect())),
            false => stores.iter().for_each(|store| self.store(store)),
        }
        self.applied = Some((snapshot, place));
    }

    fn store_and_watch(&mut self, stores: &[Store], after: Meaning) {
        let states = [Meaning::of_tables(&self.image), after];
        for store in stores {
            self.store(store);
            let stray = || Meaning::of_tables(&self.image).stray(&states);
            self.stray = self.stray.take().or_else(stray);
        }
    }

    fn store(&mut self, store: &Store) {
        assert!(self.image.store(store), "{store:?} is beyond the table");
    }
}
