use std::process::ExitStatus;

use evermesh_handover::{
    Heard,
    message::{Answer, Request},
    notify::Notice,
};
use nix::sys::signal::Signal;

use crate::Exit;

/// One connection to the control socket; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(pub u64);

/// What happens to a supervisor.
#[derive(Clone, Debug)]
pub enum Event {
    /// The agent says something about itself.
    Notice(Notice),
    /// The agent has ended, and nothing of its process group is left.
    Exited(ExitStatus),
    /// The agent could not be started.
    SpawnFailed(String),
    /// SIGTERM or SIGINT.
    Terminate,
    /// SIGHUP.
    Reload,
    /// A peer wants something.
    Request(Peer, Request),
    /// A peer's connection has closed.
    Left(Peer),
    /// The seat was free and is held now. Follows [`Action::TakeSeat`] only.
    SeatTaken,
    /// Somebody else still holds the seat. Follows [`Action::TakeSeat`] only.
    SeatBusy,
    /// The seat is not to be taken any more: Evermesh is being uninstalled. Follows [`Action::TakeSeat`] only.
    SeatUnwanted,
    /// The runtime has looked at the release that a peer wants to be tried: the number of the trial, written down, and
    /// how many tries there are, or why not. Follows [`Action::Consider`] only.
    Considered(Peer, Result<(u64, u32), String>),
    /// It is written down, durably. Follows [`Record::Try`] and [`Record::Commit`] only.
    Recorded,
    /// It could not be written down, for this reason. Follows [`Record::Try`] and [`Record::Commit`] only.
    NotRecorded(String),
    /// This supervisor has taken over, and the old one knows. Follows [`Action::Commit`] only.
    TakenOver,
    /// Its release is no good, whatever its agent says. Follows [`Action::Commit`] only.
    NotTakenOver,
    /// Whoever comes next finds maps that it knows, as far as can be told: nothing has to step down. Follows
    /// [`Action::StepDown`] only.
    NothingToStepDown,
    /// The old supervisor, which waits for this one's word, has done something of its own accord.
    Heard(Heard),
    /// All events that had happened by now have been reported: deadlines may be judged.
    Tick,
}

/// Which release an agent is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that runs unless something is tried.
    Committed,
    /// The one on trial.
    Candidate,
}

/// For which release another one steps down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follower {
    /// The committed one, after another one whose maps it may not know.
    Committed,
    /// The one on trial.
    Candidate,
    /// That of a new supervisor.
    Newcomer {
        /// Its digest; none: the supervisor did not say which that is.
        release: Option<String>,
        /// Maps that it may do without what stands in.
        accept_loss: Vec<String>,
    },
}

/// What the ledger is told of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A try begins. [`Event::Recorded`] or [`Event::NotRecorded`] follows.
    Try,
    /// The candidate is the committed release from now on. [`Event::Recorded`] or [`Event::NotRecorded`] follows.
    Commit,
    /// A try has failed, and there are more.
    Failed(String),
    /// The trial is over, and the candidate is not committed.
    Held(String),
    /// A try was ended by something that does not speak against the candidate.
    GivenBack,
    /// The generation of somebody who is not committed may stay: its release may have to step down for the committed one.
    Unsettled(Follower),
    /// The committed release runs over maps that it knows, whoever ran before it.
    Settled,
    /// Whoever ran before the committed release did not step down for it, for this reason.
    NotSettled(String),
}

/// What a supervisor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an agent of that release.
    Spawn(Which),
    /// Have whoever ran last step down, if whoever follows needs that. [`Event::Exited`], [`Event::SpawnFailed`] or
    /// [`Event::NothingToStepDown`] follows.
    StepDown(Follower),
    /// Look at a release, and write down that it is to be tried; [`Event::Considered`] follows.
    Consider {
        /// Who wants it.
        peer: Peer,
        /// Its digest.
        release: String,
        /// How often its agent may be started.
        tries: u32,
        /// Maps that it may do without what stands in.
        accept_loss: Vec<String>,
    },
    /// Write into the ledger, durably.
    Record(Record),
    /// Send a signal to the agent.
    Signal(Signal),
    /// Answer a peer.
    Answer(Peer, Answer),
    /// Answer a peer with the supervisor's state.
    Report(Peer),
    /// Kill the process behind a peer: it had its time and still holds the seat.
    KillPeer(Peer),
    /// Give up lock and sockets, if they are held.
    ReleaseSeat,
    /// Try to take lock and sockets; [`Event::SeatTaken`], [`Event::SeatBusy`] or [`Event::SeatUnwanted`] follows.
    TakeSeat,
    /// Write down that this supervisor has proven itself, and tell the old one. [`Event::TakenOver`] or [`Event::NotTakenOver`] follows.
    Commit,
    /// Tell the old supervisor to take back.
    Rollback,
    /// End the supervisor. Nothing follows.
    End(Exit),
}
