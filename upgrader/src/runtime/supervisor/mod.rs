mod perform;

use std::{collections::VecDeque, os::fd::AsFd as _, time::Instant};

use evermesh_handover::{Heard, Predecessor, RunDir};
use tracing::{info, warn};

use super::{
    agent::{Agent, Recipe},
    connections::Connections,
    keeper::Keeper,
    report::Reporter,
    seat::Seat,
    signals::Signals,
    wait::wait,
};
use crate::{
    Exit, SupervisorError,
    machine::{Event, Machine},
};

/// A supervisor at work: turns what happens into events, and performs the machine's actions.
///
/// The fields are dropped in this order: those who wait for the end at a connection see it last.
#[derive(Debug)]
pub struct Supervisor {
    machine: Machine,
    recipe: Recipe,
    keeper: Keeper,
    agent: Option<Agent>,
    seat: Option<Seat>,
    predecessor: Option<Predecessor>,
    signals: Signals,
    reporter: Reporter,
    run_dir: RunDir,
    exit: Option<Exit>,
    connections: Connections,
}

impl Supervisor {
    /// A supervisor that has the seat and no agent yet.
    pub fn new(
        run_dir: RunDir,
        recipe: Recipe,
        keeper: Keeper,
        machine: Machine,
        seat: Seat,
        predecessor: Option<Predecessor>,
        signals: Signals,
    ) -> Self {
        Self {
            reporter: Reporter::new(run_dir.clone(), &machine),
            machine,
            recipe,
            keeper,
            agent: None,
            seat: Some(seat),
            predecessor,
            signals,
            run_dir,
            exit: None,
            connections: Connections::default(),
        }
    }

    /// Works until the machine ends it.
    pub fn run(mut self) -> Result<Exit, SupervisorError> {
        loop {
            self.take_in()?;
            if let Some(exit) = self.exit {
                return Ok(exit);
            }
            self.wait()?;
        }
    }

    fn wait(&self) -> Result<(), SupervisorError> {
        let seat = self.seat.iter().flat_map(|seat| [seat.control().as_fd(), seat.notify().as_fd()]);
        let agent = self.agent.iter().map(|agent| agent.as_fd());
        let predecessor = self.predecessor.iter().map(|predecessor| predecessor.as_fd());
        let descriptors = [self.signals.as_fd()].into_iter().chain(seat).chain(agent).chain(predecessor);
        wait(descriptors.chain(self.connections.descriptors()), self.machine.deadline())
    }

    /// Takes in all that has happened. What an agent said counts before its end does, and both count before its
    /// deadline does, also what it said while a request took its time.
    fn take_in(&mut self) -> Result<(), SupervisorError> {
        let agent_has_ended = self.agent.as_ref().is_some_and(Agent::has_ended);
        self.take_in_notices();
        if agent_has_ended {
            self.bury_agent()?;
        }
        for event in self.signals.pending() {
            self.handle(event);
        }
        self.take_in_requests();
        self.listen_to_predecessor();
        if self.seat.is_some() {
            self.keeper.write_again();
        }
        self.take_in_notices();
        self.handle(Event::Tick);
        Ok(())
    }

    fn take_in_notices(&mut self) {
        let heard = |supervisor: &Self| {
            let (seat, agent) = (supervisor.seat.as_ref()?, supervisor.agent.as_ref()?);
            seat.notify().receive(agent.pid()).transpose()
        };
        while let Some(said) = heard(self) {
            match said {
                Ok(notices) => notices.into_iter().for_each(|notice| self.handle(Event::Notice(notice))),
                Err(error) => warn!("{error}"),
            }
        }
    }

    fn bury_agent(&mut self) -> Result<(), SupervisorError> {
        let Some(agent) = self.agent.take() else { return Ok(()) };
        let pid = agent.pid();
        let status = agent.bury().map_err(|source| SupervisorError::Observe { pid, source })?;
        info!("the agent (pid {pid}) has ended: {status}");
        self.handle(Event::Exited(status));
        Ok(())
    }

    fn take_in_requests(&mut self) {
        if let Some(seat) = &self.seat {
            self.connections.accept(seat.control());
        }
        for event in self.connections.receive() {
            self.handle(event);
        }
    }

    fn listen_to_predecessor(&mut self) {
        let heard = self.predecessor.as_mut().map_or(Heard::Nothing, Predecessor::hear);
        match heard {
            Heard::Nothing => return,
            Heard::TakenBack => warn!("the old supervisor takes back"),
            Heard::Gone => {
                warn!("the old supervisor has gone without waiting for this one's word");
                self.predecessor = None;
            }
        }
        self.handle(Event::Heard(heard));
    }

    /// Steps the machine, and performs what it says, until nothing follows.
    fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let before = self.machine.phase().clone();
            let actions = self.machine.step(event, Instant::now());
            self.log_change(&before);
            for action in actions {
                events.extend(self.perform(action));
            }
        }
        self.report();
    }
}
