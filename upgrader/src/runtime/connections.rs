use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    os::unix::net::{UnixListener, UnixStream},
};

use evermesh_handover::message::{Answer, Lines, Request, Unreadable, decode, encode};
use nix::{
    sys::socket::{UnixCredentials, getsockopt, sockopt::PeerCredentials},
    unistd::geteuid,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tracing::{debug, warn};

use crate::machine::{Event, Peer};

/// More at once are turned away: nobody needs them.
const CONNECTIONS_MAX: usize = 64;

/// Those who are connected to the control socket. They stay connected when the seat is given up.
#[derive(Debug, Default)]
pub struct Connections {
    open: BTreeMap<Peer, Connection>,
    accepted: u64,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    lines: Lines,
    pid: i32,
    /// The process behind it, unless that is in a container that cannot be seen from here.
    pidfd: Option<OwnedFd>,
}

impl Connections {
    /// Takes in all who wait at the control socket.
    pub fn accept(&mut self, control: &UnixListener) {
        while let Ok((stream, _)) = control.accept() {
            match Connection::new(stream) {
                Ok(Some(connection)) if self.open.len() < CONNECTIONS_MAX => {
                    self.accepted += 1;
                    self.open.insert(Peer(self.accepted), connection);
                }
                Ok(_) => warn!("a connection to the control socket was turned away"),
                Err(error) => debug!("a connection to the control socket failed: {error}"),
            }
        }
    }

    /// What has arrived. What cannot be understood is refused right here.
    pub fn receive(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let peers: Vec<_> = self.open.keys().copied().collect();
        for peer in peers {
            let Some(connection) = self.open.get_mut(&peer) else { continue };
            let stays = connection.receive(peer, &mut events);
            if !stays {
                self.open.remove(&peer);
                events.push(Event::Left(peer));
            }
        }
        events
    }

    /// Answers; a peer that has left or does not read is not waited for.
    pub fn answer(&mut self, peer: Peer, answer: &Answer) {
        if let Some(connection) = self.open.get_mut(&peer)
            && let Err(error) = connection.answer(answer)
        {
            debug!("an answer to pid {} was lost: {error}", connection.pid);
        }
    }

    /// Kills the process behind a peer.
    pub fn kill(&self, peer: Peer) {
        let Some(connection) = self.open.get(&peer) else { return };
        warn!("killing pid {}: it neither commits nor gives up", connection.pid);
        let killed = connection.pidfd.as_ref().map(|pidfd| pidfd_send_signal(pidfd, Signal::KILL));
        if !matches!(killed, Some(Ok(()))) {
            warn!("pid {} cannot be killed from here: {killed:?}", connection.pid);
        }
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.open.values().map(|connection| connection.stream.as_fd())
    }
}

impl Connection {
    /// None: not somebody to talk to.
    fn new(stream: UnixStream) -> io::Result<Option<Self>> {
        let credentials = getsockopt(&stream, PeerCredentials)?;
        stream.set_nonblocking(true)?;
        let pid = credentials.pid();
        let pidfd = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let connection = Self { stream, lines: Lines::default(), pid, pidfd };
        Ok(is_trusted(&credentials).then_some(connection))
    }

    /// Adds what has arrived to `events`; false: it is over.
    fn receive(&mut self, peer: Peer, events: &mut Vec<Event>) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(bytes) => self.lines.push(&buffer[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
            if let Err(unreadable) = self.understand(peer, events) {
                let _ = self.answer(&Answer::from(&unreadable));
                return false;
            }
        }
    }

    fn understand(&mut self, peer: Peer, events: &mut Vec<Event>) -> Result<(), Unreadable> {
        while let Some(line) = self.lines.next_line()? {
            match decode::<Request>(&line) {
                Ok(request) => events.push(Event::Request(peer, request)),
                Err(unreadable) => {
                    debug!("pid {} is refused: {unreadable}", self.pid);
                    let _ = self.answer(&Answer::from(&unreadable));
                }
            }
        }
        Ok(())
    }

    /// The stream does not block: an answer is far smaller than its buffer.
    fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        self.stream.write_all(&encode(answer)?)
    }
}

fn is_trusted(credentials: &UnixCredentials) -> bool {
    credentials.uid() == 0 || credentials.uid() == geteuid().as_raw()
}
