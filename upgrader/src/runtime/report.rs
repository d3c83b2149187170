use std::process;

use evermesh_handover::{
    RunDir,
    message::{Releases, State},
};
use tracing::warn;

use crate::{machine::Machine, release::unix_ms};

/// Keeps `supervisor.json` equal to what the supervisor would answer.
#[derive(Debug)]
pub struct Reporter {
    run_dir: RunDir,
    state: State,
}

impl Reporter {
    /// Nothing has been written yet.
    pub fn new(run_dir: RunDir, machine: &Machine) -> Self {
        let now = unix_ms();
        let state = State {
            release: env!("CARGO_PKG_VERSION").into(),
            pid: process::id(),
            agent_pid: None,
            phase: machine.phase().word(),
            status: None,
            restarts: machine.restarts().by_word(),
            last_exit: None,
            since_unix_ms: now,
            started_unix_ms: now,
            releases: None,
        };
        Self { run_dir, state }
    }

    /// The present state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes the present state in, and tells if it is another one than before.
    pub fn update(&mut self, machine: &Machine, agent_pid: Option<u32>, releases: Option<Releases>) -> bool {
        let phase = machine.phase().word();
        let same_life = phase == self.state.phase && agent_pid == self.state.agent_pid;
        let present = State {
            agent_pid,
            phase,
            status: machine.status().map(Into::into),
            restarts: machine.restarts().by_word(),
            last_exit: machine.last_exit().map(Into::into),
            since_unix_ms: if same_life { self.state.since_unix_ms } else { unix_ms() },
            releases,
            ..self.state.clone()
        };
        let changed = present != self.state;
        self.state = present;
        changed
    }

    /// Writes the file. A run directory that is full takes nothing from the agent.
    pub fn write(&self) {
        if let Err(error) = self.state.write(&self.run_dir) {
            warn!("{error}");
        }
    }
}
