use std::{
    io::{self, Read as _, Write as _},
    iter,
    os::fd::{AsFd, BorrowedFd},
    os::unix::net::UnixStream,
};

use crate::{
    ClientError,
    message::{Answer, Lines, Request, decode, encode},
};

/// The old supervisor, which has yielded and waits for a word of this process. Dropping it without one makes the
/// old supervisor take back.
#[derive(Debug)]
pub struct Predecessor {
    stream: UnixStream,
    lines: Lines,
}

/// What the old supervisor has done of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It waits.
    Nothing,
    /// It takes back: this process must stop its agent and release lock and sockets.
    TakenBack,
    /// It has ended: there is nobody left to go back to.
    Gone,
}

impl Predecessor {
    pub(crate) fn new(stream: UnixStream, lines: Lines) -> Result<Self, ClientError> {
        stream.set_nonblocking(true).map_err(|source| ClientError::Receive { source })?;
        Ok(Self { stream, lines })
    }

    /// Says that this process has proven itself: there is no way back from here.
    pub fn commit(self) -> Result<(), ClientError> {
        self.say(&Request::Commit)
    }

    /// Gives up. Lock and sockets must have been released before.
    pub fn rollback(self) -> Result<(), ClientError> {
        self.say(&Request::Rollback)
    }

    /// What has arrived by now; never waits. To be called once at first, then whenever the descriptor is readable.
    pub fn hear(&mut self) -> Heard {
        let mut buffer = [0; 4096];
        if self.said_taken_back() {
            return Heard::TakenBack;
        }
        match self.stream.read(&mut buffer) {
            Ok(0) => Heard::Gone,
            Ok(bytes) => {
                self.lines.push(&buffer[..bytes]);
                if self.said_taken_back() { Heard::TakenBack } else { Heard::Nothing }
            }
            Err(error) if is_passing(&error) => Heard::Nothing,
            Err(_) => Heard::Gone,
        }
    }

    /// Words that a later release may say meanwhile are not for us.
    fn said_taken_back(&mut self) -> bool {
        let lines = iter::from_fn(|| self.lines.next_line().ok().flatten());
        lines.map(|line| decode(&line)).any(|said| matches!(said, Ok(Answer::TakenBack)))
    }

    fn say(mut self, request: &Request) -> Result<(), ClientError> {
        let sent = encode(request).map_err(io::Error::from).and_then(|line| self.stream.write_all(&line));
        sent.map_err(|source| ClientError::Send { source })
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl AsFd for Predecessor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
