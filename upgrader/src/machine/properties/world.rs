//! A supervisor in a world of which every rule is checked.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
    time::{Duration, Instant},
};

use evermesh_handover::{
    Heard,
    gate::Verdict,
    message::{Answer, Phase as Word, Request},
    notify::Notice,
};
use nix::sys::signal::Signal;

use super::{
    super::{Action, Event, Follower, Machine, Peer, Phase, Record, Settings, Which},
    happenings::Happening,
    releases::{Releases, own, under_way},
};
use crate::{Exit, release::Digest};

/// A supervisor whose actions are performed, and checked, in a world of an agent, a seat and peers.
#[derive(Debug)]
pub struct World {
    machine: Machine,
    now: Instant,
    pub agent: Option<Agent>,
    seat_held: bool,
    pub seat_busy: bool,
    /// Somebody removes Evermesh.
    uninstalled: bool,
    pub spawns_fail: bool,
    yielded_to: Option<Peer>,
    predecessor_waits: bool,
    predecessor_gone: bool,
    agent_leaks: bool,
    pub ended: Option<Exit>,
    pub spawned: u32,
    /// A candidate and the agent of a new supervisor find maps that they know, whoever steps down.
    knows_pins: bool,
    stepped_down: bool,
    /// A generation may stand that the committed release has not made.
    unsettled: bool,
    /// Its release was asked to step down.
    asked: bool,
    releases: Releases,
}

#[derive(Debug)]
pub struct Agent {
    ready: bool,
    heard_at: Instant,
    silence_max: Duration,
    kill_sent: bool,
    which: Which,
    steps_down: bool,
    ready_at: Option<Instant>,
    alive_at: Option<Instant>,
}

impl Agent {
    fn has_proven_itself(&self, gate: Duration) {
        let end = self.ready_at.expect("not ready") + gate;
        let alive = self.alive_at.is_some_and(|at| at >= end);
        assert!(alive, "committed without a sign of life after the gate");
    }
}

impl World {
    pub fn new(takeover: bool) -> Self {
        let (settings, now) = (Settings::default(), Instant::now());
        let machine =
            if takeover { Machine::after_takeover(settings, now) } else { Machine::new(settings, now) };
        Self {
            machine,
            now,
            agent: None,
            seat_held: true,
            seat_busy: false,
            uninstalled: false,
            spawns_fail: false,
            yielded_to: None,
            predecessor_waits: takeover,
            predecessor_gone: false,
            agent_leaks: false,
            ended: None,
            spawned: 0,
            knows_pins: true,
            stepped_down: false,
            unsettled: false,
            asked: false,
            releases: Releases::new(),
        }
    }

    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::TimePasses(time) => self.pass(time),
            Happening::Oversleeps(time) => self.oversleep(time),
            Happening::AgentSays(notice) => self.agent_says(notice),
            Happening::AgentEnds(status) if self.agent.is_some() => self.agent_ends(status),
            Happening::AgentEnds(_) => {}
            Happening::SpawnsFail(fail) => self.spawns_fail = fail,
            Happening::SeatIsBusy(busy) => self.seat_busy = busy,
            Happening::IsUninstalled(is) => self.uninstalled = is,
            Happening::PeerSays(peer, request) => self.peer_says(peer, request),
            Happening::PeerLeaves(peer) => self.peer_leaves(peer),
            Happening::Predecessor(heard) if self.predecessor_waits => {
                self.predecessor_gone |= heard == Heard::Gone;
                self.step(Event::Heard(heard));
            }
            Happening::Predecessor(_) => {}
            Happening::Signalled(event) => self.step(event),
            Happening::AgentLeaks(leaks) => self.agent_leaks = leaks,
            Happening::DiskIsFull(full) => self.releases.disk_full = full,
            Happening::OthersKnowThePins(knows) => self.knows_pins = knows,
            Happening::SupervisorDies => self.die(),
        }
        self.tick();
    }

    /// The agent dies with its supervisor, and another supervisor starts with what is on disk.
    fn die(&mut self) {
        if self.predecessor_waits || self.ended.is_some() {
            return;
        }
        let releases = &mut self.releases;
        assert!(
            !self.unsettled || releases.disk.outgoing.is_some() || releases.lost,
            "nobody knows who has to step down"
        );
        releases.disk.start(own(), own(), 0);
        releases.ledger = releases.disk.clone();
        releases.must_go_back = releases.ledger.candidate.as_ref().is_some_and(|it| it.reason.is_some());
        let machine = Machine::new(Settings::default(), self.now);
        let machine = match &releases.ledger.candidate {
            Some(candidate) => machine.with_trial(candidate.tries_left, candidate.reason.is_some()),
            None => machine,
        };
        self.unsettled = releases.ledger.outgoing.is_some();
        self.machine = if self.unsettled { machine.unsettled() } else { machine };
        (self.agent, self.seat_held, self.yielded_to) = (None, true, None);
    }

    /// Time passes as it does for the runtime: with a tick at each deadline, and killed agents end.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            if self.agent.as_ref().is_some_and(|agent| agent.kill_sent) {
                self.agent_ends(9);
            }
            match self.machine.deadline().filter(|&deadline| deadline <= until) {
                Some(deadline) => self.now = self.now.max(deadline),
                None => {
                    self.now = until;
                    return;
                }
            }
            self.tick();
        }
        panic!("the supervisor ticks without end: {:?}", self.machine);
    }

    /// What the agent has said is heard late.
    fn oversleep(&mut self, time: Duration) {
        let said_at = self.now;
        self.now += time;
        if let Some(agent) = &mut self.agent {
            (agent.alive_at, agent.heard_at) = (Some(said_at), self.now);
        }
        self.step(Event::Notice(Notice::Alive));
    }

    fn agent_says(&mut self, notice: Notice) {
        if let Some(agent) = &mut self.agent {
            match notice {
                Notice::Ready if !agent.ready && !agent.steps_down => {
                    (agent.ready, agent.heard_at, agent.ready_at) = (true, self.now, Some(self.now));
                    // What is to end gets no word that its generation stays.
                    if self.machine.phase().word() == Word::Starting {
                        self.unsettled = agent.which == Which::Candidate;
                    }
                }
                Notice::Alive => (agent.heard_at, agent.alive_at) = (self.now, Some(self.now)),
                Notice::SilenceMax(time) => agent.silence_max = time,
                _ => {}
            }
        }
        self.step(Event::Notice(notice));
    }

    fn agent_ends(&mut self, status: i32) {
        let agent = self.agent.take();
        self.stepped_down = agent.is_some_and(|agent| agent.steps_down) && status == 0;
        self.step(Event::Exited(ExitStatus::from_raw(status)));
        self.backoff_is_bounded();
    }

    fn peer_says(&mut self, peer: Peer, request: Request) {
        let commits = request == Request::Commit && self.yielded_to == Some(peer) && !self.seat_held;
        self.step(Event::Request(peer, request));
        assert!(!commits || self.ended.is_some(), "a commit was not followed");
    }

    fn peer_leaves(&mut self, peer: Peer) {
        let waited_for = self.yielded_to == Some(peer) && self.word() == Word::Yielded;
        self.step(Event::Left(peer));
        assert!(!waited_for || self.word() == Word::TakingBack, "a lost peer is still waited for");
    }

    fn tick(&mut self) {
        self.step(Event::Tick);
        self.a_silent_agent_is_killed();
    }

    fn step(&mut self, event: Event) {
        for action in self.machine.step(event, self.now) {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        let harmless = matches!(action, Action::Answer(..) | Action::Report(_));
        assert!(harmless || self.ended.is_none(), "{action:?} after the end");
        match action {
            Action::Spawn(which) => self.spawn(which),
            Action::StepDown(follower) => self.step_down(&follower),
            Action::Signal(signal) => {
                let agent = self.agent.as_mut().expect("a signal to no agent");
                agent.kill_sent |= signal == Signal::SIGKILL;
            }
            Action::Answer(_, Answer::Judged { verdict: Verdict::Commit }) => {
                let candidate = |agent: &Agent| agent.which == Which::Candidate;
                self.unsettled |= self.agent.as_ref().is_some_and(candidate);
                assert!(
                    !self.unsettled || self.releases.ledger.outgoing.is_some(),
                    "it stays before that was written down"
                );
            }
            Action::Answer(peer, Answer::Yielded) => {
                self.unsettled = true;
                assert!(!self.seat_held && self.agent.is_none(), "yielded too early");
                let knows = self.knows_pins || std::mem::take(&mut self.stepped_down);
                assert!(knows, "yielded over maps that the new supervisor's agent does not know");
                self.yielded_to = Some(peer);
            }
            Action::Answer(_, Answer::Upgrading { .. }) => {
                assert!(self.releases.disk.candidate.is_some(), "promised before it was written down");
            }
            Action::Consider { peer, release, tries, accept_loss: _ } => {
                let considered = self.releases.consider(&release, tries);
                self.step(Event::Considered(peer, considered));
            }
            Action::Record(record) => self.record(record),
            Action::ReleaseSeat => {
                assert!(self.agent.is_none(), "the seat of a living agent is released");
                self.seat_held = false;
            }
            Action::TakeSeat => self.take_seat(),
            Action::KillPeer(peer) => assert_eq!(Some(peer), self.yielded_to),
            Action::Commit => {
                let agent = self.agent.as_ref().expect("a commit without an agent");
                agent.has_proven_itself(Settings::default().takeover_gate);
                assert!(self.predecessor_waits, "nobody waits for a commit");
                let refused = self.agent_leaks.then_some(Event::NotTakenOver);
                self.predecessor_waits = refused.is_some() && !self.predecessor_gone;
                self.step(refused.unwrap_or(Event::TakenOver));
                let stops = matches!(self.machine.phase(), Phase::Stopping { .. });
                assert_eq!(stops, self.predecessor_waits, "an agent that leaks stays, or another one goes");
            }
            Action::Rollback => {
                assert!(!self.seat_held, "rollback with the seat held");
                assert!(std::mem::take(&mut self.predecessor_waits), "nobody waits for a rollback");
            }
            Action::End(exit) => {
                assert!(!self.seat_held && self.agent.is_none(), "ended without cleaning up");
                self.ended = Some(exit);
            }
            Action::Answer(..) | Action::Report(_) => {}
        }
    }

    fn record(&mut self, record: Record) {
        match &record {
            Record::Unsettled(whose) => {
                let candidate = self.releases.ledger.candidate.as_ref().map(|candidate| candidate.release);
                let outgoing = match whose {
                    Follower::Newcomer { release, .. } => release.as_ref().map(Digest::of),
                    _ => candidate,
                };
                return self.releases.settle(Some(outgoing.expect("nobody's maps")));
            }
            Record::Settled => {
                let agent = self.agent.as_ref().expect("nobody runs");
                assert!(agent.ready && agent.which == Which::Committed, "settled too early");
                return self.releases.settle(None);
            }
            Record::NotSettled(_) => return,
            _ => {}
        }
        if record == Record::Commit {
            let agent = self.agent.as_ref().expect("nothing is to be committed");
            assert_eq!(agent.which, Which::Candidate);
            agent.has_proven_itself(Settings::default().trial_gate);
        }
        let commits = record == Record::Commit;
        if let Some(event) = self.releases.record(record, 0) {
            if let Some(agent) = self.agent.as_mut().filter(|_| commits && matches!(event, Event::Recorded)) {
                agent.which = Which::Committed;
            }
            self.unsettled = self.releases.ledger.outgoing.is_some();
            self.step(event);
        }
    }

    fn spawn(&mut self, which: Which) {
        assert!(self.agent.is_none(), "two agents at once");
        assert!(self.seat_held, "an agent without the seat");
        self.releases.spawn(which);
        let asked = std::mem::take(&mut self.asked);
        assert!(
            which == Which::Candidate || asked || !self.unsettled,
            "the committed release was started over maps of somebody who was not asked to step down"
        );
        let knows = self.knows_pins || std::mem::take(&mut self.stepped_down);
        assert!(
            which == Which::Committed || knows,
            "a candidate was started over maps that it does not know"
        );
        self.start(which, false);
    }

    fn step_down(&mut self, follower: &Follower) {
        assert!(self.agent.is_none(), "somebody steps down beside an agent");
        assert!(self.seat_held, "somebody steps down without the seat");
        match follower {
            Follower::Candidate => self.releases.step_down(),
            Follower::Committed => {
                assert!(
                    !under_way(&self.releases.ledger),
                    "the committed release is to follow a try that goes on"
                );
                self.asked = true;
            }
            Follower::Newcomer { .. } => {}
        }
        match self.knows_pins {
            true => self.step(Event::NothingToStepDown),
            false => self.start(Which::Committed, true),
        }
    }

    fn start(&mut self, which: Which, steps_down: bool) {
        if self.spawns_fail {
            return self.step(Event::SpawnFailed("no".into()));
        }
        let silence_max = Settings::default().watchdog;
        let (ready_at, alive_at) = (None, None);
        let heard_at = self.now;
        self.agent = Some(Agent {
            ready: false,
            heard_at,
            silence_max,
            kill_sent: false,
            which,
            steps_down,
            ready_at,
            alive_at,
        });
        self.spawned += 1;
    }

    fn take_seat(&mut self) {
        assert!(!self.seat_held);
        if self.uninstalled {
            self.step(Event::SeatUnwanted);
            assert!(self.ended.is_some(), "nobody is wanted, and somebody stays");
            return;
        }
        self.seat_held = !self.seat_busy;
        self.step(if self.seat_busy { Event::SeatBusy } else { Event::SeatTaken });
    }

    fn word(&self) -> Word {
        self.machine.phase().word()
    }

    fn a_silent_agent_is_killed(&self) {
        let Some(agent) = &self.agent else { return };
        let silent = agent.ready && self.now >= agent.heard_at + agent.silence_max;
        let on_its_way_out = self.word() == Word::Stopping;
        assert!(!silent || agent.kill_sent || on_its_way_out, "an agent hangs: {:?}", self.machine);
    }

    fn backoff_is_bounded(&self) {
        if let Phase::Backoff { until } = *self.machine.phase() {
            assert!(until <= self.now + Settings::default().backoff_max, "backs off for too long");
        }
    }
}
