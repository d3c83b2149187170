//! Changes of generation: another one is made and traffic led to it, and it stays or goes.

use std::{mem, time::Instant};

use evermesh_model::{Here, Snapshot};
use evermesh_pins::{GenerationPins, Inventory, InventoryError, Table};
use tracing::warn;

use super::{
    ApplyError, DataPlane, Flows,
    carry::Carrying,
    stand_by::{self, Due, StandBy},
    trial::{self, Trial},
};
use crate::{
    TableSizes,
    generation::{
        self, ChangeError, Direction, Interpreter, Observed, Recovery, Stage, Step, Wanted, plan, recover,
    },
    tables::{self, Change, State, TableWriter},
};

impl DataPlane {
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

    /// The old generation takes over again, and the one on trial goes. What has changed since links were led away is laid before
    /// they come back; all of it is compared when they are there.
    pub fn roll_back(&mut self, reason: &str) -> Result<(), ChangeError> {
        let Some(Trial { change, carried, stand_by, sentinel, .. }) = self.trial.take() else {
            return Ok(());
        };
        self.sentinel_stands = false;
        if let Err(error) = self.stand_in(stand_by) {
            warn!(%error, "traffic is led back to what was applied before");
        }
        let links = self.observed()?.links;
        let rolled_back = self.run(&plan::rolling_back(&change, &links, &carried, reason));
        drop(sentinel);
        trial::forget_sentinel(&self.config.pins, &self.config.cgroup.path);
        rolled_back?;
        match self.audit() {
            Ok(compared) if compared.writes > 0 => {
                warn!(compared.writes, "the tables that traffic was led back to are put right");
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "the tables that traffic was led back to cannot be compared"),
        }
        Ok(())
    }

    fn change_by(&mut self, carrying: Carrying) -> Result<(), ChangeError> {
        let applied = self.applied.clone();
        self.change_to(self.live.number + 1, applied.as_ref(), carrying)
    }

    pub(super) fn change_to(
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

    pub(super) fn wanted(&self, direction: Direction) -> Wanted {
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

    pub(super) fn observed(&self) -> Result<Observed, InventoryError> {
        Ok(Observed::of(&Inventory::read(&self.config.pins)?))
    }

    /// Steps that fill no tables.
    pub(super) fn run(&mut self, steps: &[Step]) -> Result<(), ChangeError> {
        let mut nothing = |_: &mut TableWriter| Ok(());
        Interpreter::new(&self.config, &mut self.records, self.config.sizes, &mut nothing).run(steps)
    }
}
