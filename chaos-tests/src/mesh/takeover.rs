//! A supervisor that takes over from the one that runs.

use std::path::Path;

use nix::unistd::Pid;

use super::{Mesh, PATIENCE};
use crate::{Result, process::Process, wait};

impl Mesh<'_> {
    /// Starts the supervisor of another release, which asks the one that runs for its seat.
    pub fn challenged_by(&mut self, release: &Path) -> Result<Process> {
        let own = std::mem::replace(&mut self.program, release.join("evermesh"));
        let challenger = self.spawn(&["--takeover"]);
        self.program = own;
        challenger
    }

    /// Waits until it has taken over, and the supervisor before it has ended. Everything that is run from then on is of that
    /// release. Tells which its agent is.
    pub fn succeeded_by(&mut self, mut challenger: Process, release: &Path) -> Result<Pid> {
        let old = self.supervisor.as_mut();
        if let Some(old) = old {
            wait::until("the old supervisor to end", PATIENCE, || match challenger.exited() {
                Some(status) => Some(Err(challenger.ended_early(status))),
                None => old.exited().map(|_| Ok(())),
            })??;
        }
        self.supervisor = Some(challenger);
        self.set_release(release);
        self.await_first_agent()
    }
}
