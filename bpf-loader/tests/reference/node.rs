//! A node whose tables are an image in memory.

use evermesh_loader::{
    TableSizes,
    tables::{self, Change, MemoryTables, State, Store},
};
use evermesh_model::{Delta, Place, Snapshot};
use evermesh_reference::history::NODE;

const SIZES: TableSizes = TableSizes { services: 64, endpoints: 24_576 };

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
    mistake: Mistake,
    state: State,
    applied: Option<(Snapshot, Place)>,
}

impl Node {
    pub fn new(mistake: Mistake) -> Self {
        Self { image: MemoryTables::new(SIZES), mistake, state: State::empty(SIZES), applied: None }
    }

    pub fn step(&mut self, snapshot: &Snapshot, work: Work) {
        if work == Work::Restart {
            self.state = tables::adopt(&self.image);
            self.applied = None;
        }
        self.lead_to((self.mistake.snapshot)(snapshot));
        if work == Work::Reclaim {
            let retired = self.state.take_retired();
            self.state.reuse(retired);
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
        for store in stores {
            assert!(self.image.store(&store), "{store:?} is beyond the table");
        }
        self.applied = Some((snapshot, place));
    }
}
