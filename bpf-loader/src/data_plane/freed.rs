use evermesh_pins::sys;

use super::{ApplyError, DataPlane};
use crate::tables::Retired;

/// What a change has freed. Nothing in the tables refers to it any more, but a program run that began earlier may still hold it.
#[derive(Debug)]
pub struct Freed {
    retired: Retired,
    /// Which reading of the tables found it in use.
    reading: u64,
}

/// What was freed and is held by no program run any more.
#[derive(Debug)]
pub struct Reusable(Freed);

impl Freed {
    /// Waits until the program runs have ended, 8 to 16 ms, for which the data plane is not needed.
    pub fn wait(self) -> Result<Reusable, ApplyError> {
        sys::wait_for_programs().map_err(ApplyError::Barrier)?;
        Ok(Reusable(self))
    }
}

impl DataPlane {
    /// What was freed since this was asked last, or was found to be free by reading the tables, if anything: to be waited for,
    /// wherever there is time, and then [handed back](Self::reuse).
    pub fn freed(&mut self) -> Option<Freed> {
        let retired = self.state.take_retired();
        (self.barrier_due || !retired.is_empty()).then_some(Freed { retired, reading: self.reading })
    }

    /// Makes it usable again. Where the tables were read anew meanwhile, that has found what is free.
    pub fn reuse(&mut self, Reusable(Freed { retired, reading }): Reusable) {
        if reading == self.reading {
            self.state.reuse(retired);
            self.barrier_due = false;
        }
    }

    /// Makes what was freed usable again, after a barrier of 8 to 16 ms.
    pub fn reclaim(&mut self) -> Result<(), ApplyError> {
        let reusable = self.freed().map(Freed::wait).transpose()?;
        reusable.into_iter().for_each(|reusable| self.reuse(reusable));
        Ok(())
    }
}
