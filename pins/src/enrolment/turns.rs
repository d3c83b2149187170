//! Writers of `enrolled` go on while another map takes its place.
//!
//! Programs only read it, so there is no bridge: whoever changes it has writers wait, by the phase in `control`, copies what stands
//! in it, gives the new map its place, and lets them go on. A writer that was held up between its look at the phase and its write
//! may write into the map that goes. So it looks again: **first at the phase, then at which map stands there**, until that is the
//! one that it wrote last.
//!
//! **Why nothing is lost or resurrected.** Say it ends, with the phase steady and then its own map in its place. A change that was under way
//! before that look at the phase was over: had it replaced the map, another one would stand there. One that began later has copied what was
//! written. What is written twice is the same.

/// Which map a writer has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Turns {
    written: Option<u32>,
}

/// What to do after a look at the map that stands there, in a phase that was steady before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Write into it, and look again.
    Write,
    /// Nothing: what was written stands there.
    Done,
}

impl Turns {
    /// The map of that id stands there.
    pub fn look(&mut self, map: u32) -> Turn {
        if self.written.replace(map) == Some(map) { Turn::Done } else { Turn::Write }
    }
}
