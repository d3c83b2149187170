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
    /// The old supervisor, which waits for this one's word, has done something of its own accord.
    Heard(Heard),
    /// All events that had happened by now have been reported: deadlines may be judged.
    Tick,
}

/// What a supervisor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an agent.
    Spawn,
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
    /// Try to take lock and sockets; [`Event::SeatTaken`] or [`Event::SeatBusy`] follows.
    TakeSeat,
    /// Tell the old supervisor that this one has proven itself.
    Commit,
    /// Tell the old supervisor to take back.
    Rollback,
    /// End the supervisor. Nothing follows.
    End(Exit),
}
