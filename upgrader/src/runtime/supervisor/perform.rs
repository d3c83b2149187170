//! Performing what the machine says.

use evermesh_handover::{ClientError, Predecessor, message::Answer};
use nix::sys::signal::Signal;
use tracing::{error, info, warn};

use super::Supervisor;
use crate::{
    machine::{Action, Event, Follower, Phase, Which},
    runtime::{keeper::StepDown, seat::Seat},
};

impl Supervisor {
    pub(super) fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Spawn(which) => return self.spawn(which),
            Action::StepDown(follower) => return self.step_down(&follower),
            Action::Consider { peer, release, tries, accept_loss } => {
                return Some(self.keeper.consider(peer, &release, tries, &accept_loss));
            }
            Action::Record(record) => return self.keeper.record(record),
            Action::TakeSeat => return Some(self.take_seat()),
            Action::Signal(signal) => self.signal(signal),
            Action::Answer(peer, answer) => self.connections.answer(peer, &answer),
            Action::Report(peer) => {
                let state = Answer::State(Box::new(self.reporter.state().clone()));
                self.connections.answer(peer, &state);
            }
            Action::KillPeer(peer) => self.connections.kill(peer),
            Action::ReleaseSeat => self.release_seat(),
            Action::Commit => {
                let done = self.keeper.take_over();
                if matches!(done, Event::TakenOver) {
                    self.tell_predecessor(Predecessor::commit);
                }
                return Some(done);
            }
            Action::Rollback => self.tell_predecessor(Predecessor::rollback),
            Action::End(exit) => self.exit = Some(exit),
        }
        None
    }

    /// Makes the state known to whoever asks or reads the file, which belongs to the one who has the seat.
    pub(super) fn report(&mut self) {
        let agent_pid = self.agent.as_ref().map(|agent| agent.pid());
        let releases = self.keeper.report(agent_pid.is_some());
        if self.reporter.update(&self.machine, agent_pid, releases) && self.seat.is_some() {
            self.reporter.write();
        }
    }

    pub(super) fn log_change(&self, before: &Phase) {
        let (before, after) = (before.to_string(), self.machine.phase().to_string());
        if before != after {
            info!("agent: {after}");
        }
    }

    fn spawn(&mut self, which: Which) -> Option<Event> {
        let seat = self.seat.as_ref()?;
        let program = match self.keeper.agent(which) {
            Ok(program) => program,
            Err(reason) => return Some(Event::SpawnFailed(reason)),
        };
        let accept_loss = self.keeper.accept_loss(which);
        match self.recipe.spawn(which, &program, accept_loss, &self.run_dir.notify_socket(), seat.lock()) {
            Ok(agent) => {
                info!("the agent {} has started (pid {})", program.display(), agent.pid());
                self.agent = Some(agent);
                None
            }
            Err(reason) => {
                let reason = format!("cannot start the agent {}: {reason}", program.display());
                error!("{reason}; name another one with --agent");
                Some(Event::SpawnFailed(reason))
            }
        }
    }

    fn step_down(&mut self, follower: &Follower) -> Option<Event> {
        let seat = self.seat.as_ref()?;
        let Some(StepDown { agent: program, said, accept_loss }) = self.keeper.step_down(follower) else {
            return Some(Event::NothingToStepDown);
        };
        match self.recipe.step_down(&program, &said, &accept_loss, &self.run_dir.notify_socket(), seat.lock())
        {
            Ok(agent) => {
                info!("{} steps down, if whoever follows needs it (pid {})", program.display(), agent.pid());
                self.agent = Some(agent);
                None
            }
            Err(reason) => Some(Event::SpawnFailed(format!("cannot start {}: {reason}", program.display()))),
        }
    }

    fn signal(&self, signal: Signal) {
        let Some(agent) = &self.agent else { return };
        info!("sending {signal} to the agent (pid {})", agent.pid());
        if let Err(errno) = agent.signal(signal) {
            warn!("{signal} did not reach the agent (pid {}): {errno}", agent.pid());
        }
    }

    /// The new supervisor may have ended because somebody removes Evermesh.
    fn take_seat(&mut self) -> Event {
        if self.keeper.is_uninstalled() {
            info!("not taking back: Evermesh is being uninstalled");
            return Event::SeatUnwanted;
        }
        match Seat::try_take(&self.run_dir) {
            Ok(Some(seat)) => {
                self.seat = Some(seat);
                self.keeper.sit_again();
                return Event::SeatTaken;
            }
            Ok(None) => {}
            Err(error) => warn!("cannot take back yet: {error}"),
        }
        Event::SeatBusy
    }

    fn release_seat(&mut self) {
        self.keeper.rise();
        self.report();
        if let Some(seat) = self.seat.take()
            && let Err(error) = seat.release()
        {
            warn!("{error}");
        }
    }

    fn tell_predecessor(&mut self, word: fn(Predecessor) -> Result<(), ClientError>) {
        let told = self.predecessor.take().map(word);
        match told {
            Some(Err(error)) => warn!("the old supervisor was not reached: {error}"),
            Some(Ok(())) => info!("the old supervisor has been told"),
            None => {}
        }
    }
}
