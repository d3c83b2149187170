//! The generation that was live before the one on trial. It is kept up to date, so that traffic can come back at any moment.

use std::mem;

use evermesh_model::{Delta, Here, Place, Snapshot};
use tracing::warn;

use super::{ApplyError, DataPlane, live::Live};
use crate::{
    TableSizes,
    tables::{self, Change, State, Store},
};

/// A generation without traffic whose tables nobody else writes: what they said when links were led away is what they say.
#[derive(Debug)]
pub struct StandBy {
    live: Live,
    state: State,
    /// The mesh that its tables were led to, and where this node is by it; none: they are to be read and compared.
    holds: Option<(Snapshot, Here)>,
}

impl StandBy {
    /// Performs what was planned to lead it to a mesh, if that could be planned. No program runs on it, so what is free is free at once.
    pub fn new(mut live: Live, mut state: State, due: Option<Due>) -> Self {
        state.reuse_at_once();
        let holds = due.and_then(|Due { stores, mesh }| {
            let done = live.execute(&stores);
            done.inspect_err(|error| warn!(%error, "the generation that stands by is not up to date yet"))
                .ok()?;
            Some(mesh)
        });
        Self { live, state, holds }
    }
}

/// What leads the tables of the live generation to a mesh, and is performed when they stand by.
#[derive(Debug)]
pub struct Due {
    stores: Vec<Store>,
    mesh: (Snapshot, Here),
}

impl DataPlane {
    /// Plans on the live generation's state, which says from now on what its tables are to say; the state is not known until that is
    /// done. None: it is what its tables say, and they cannot be led there, or not so that the next generation has those sizes.
    pub(super) fn plan_stand_by(
        &mut self,
        sizes: TableSizes,
        mesh: &(Snapshot, Here),
    ) -> Result<Option<Due>, ApplyError> {
        if self.live.view.is_none() {
            return Ok(None);
        }
        self.state_known = false;
        match tables::plan(&mut self.state, Change::everything(&mesh.0, &mesh.1)) {
            Ok(stores) if sizes.max(self.state.sizes_in_use()) == sizes => {
                Ok(Some(Due { stores, mesh: mesh.clone() }))
            }
            Ok(_) | Err(_) => self.adopt().map(|()| None),
        }
    }

    /// The tables that stood by are the live ones, led to what is applied by now.
    pub(super) fn stand_in(&mut self, StandBy { live, state, holds }: StandBy) -> Result<(), ApplyError> {
        self.live = live;
        let _of_the_trial = self.begin_with(state);
        (self.state_known, self.barrier_due) = (holds.is_some(), false);
        let Some(wanted) = mem::replace(&mut self.applied, holds) else { return Ok(()) };
        let led = self.lead_to(&wanted.0);
        self.applied = Some(wanted);
        led.map(drop)
    }
}

/// What the next generation's tables hold, where the state is already planned on: only the sentinel is to be added.
pub(super) fn added(before: &Snapshot, after: &Snapshot, state: &State, place: &Place) -> Change<'static> {
    Change::of(state, Delta::between(before, after), after, place)
}
