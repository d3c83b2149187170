use std::{
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process,
    time::{Duration, Instant},
};

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};

use crate::{
    Intent, Predecessor, RunDir,
    gate::{Evidence, Verdict},
    message::{Answer, Lines, Request, State, Unreadable, decode, encode},
};

/// A conversation with the supervisor of a run directory. Blocks, but never longer than it is told.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    lines: Lines,
    patience: Duration,
}

/// Why a supervisor could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: no supervisor runs here.
    #[error("no evermesh supervisor listens on {path}: {source}")]
    NotRunning {
        /// The control socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The control socket cannot be reached.
    #[error("cannot reach the evermesh supervisor on {path}: {source}")]
    Connect {
        /// The control socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The request could not be sent.
    #[error("cannot send to the evermesh supervisor: {source}")]
    Send {
        /// What the system said.
        source: io::Error,
    },
    /// The answer could not be received.
    #[error("cannot receive from the evermesh supervisor: {source}")]
    Receive {
        /// What the system said.
        source: io::Error,
    },
    /// Nothing came in time.
    #[error("the evermesh supervisor did not answer within {} ms", patience.as_millis())]
    Silent {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The supervisor hung up before it answered.
    #[error("the evermesh supervisor closed the connection without an answer")]
    Closed,
    /// The answer is no message.
    #[error("the evermesh supervisor's answer cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
    /// The supervisor will not do it.
    #[error("the evermesh supervisor refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
        /// The versions of messages that it speaks.
        versions: Vec<u32>,
    },
    /// The answer belongs to another question.
    #[error("the evermesh supervisor's answer does not fit the question: {answer:?}")]
    Unexpected {
        /// The answer.
        answer: Box<Answer>,
    },
}

impl Client {
    /// Connects to the supervisor of that run directory; `patience` is also how long each answer may take.
    pub fn connect(run_dir: &RunDir, patience: Duration) -> Result<Self, ClientError> {
        let path = run_dir.control_socket();
        match connect(&path, patience) {
            Ok(stream) => Ok(Self { stream, lines: Lines::default(), patience }),
            Err(source) if is_silence(&source) => Err(ClientError::Silent { patience }),
            Err(source) if is_nobody(&source) => Err(ClientError::NotRunning { path, source }),
            Err(source) => Err(ClientError::Connect { path, source }),
        }
    }

    /// How the supervisor and its agent are.
    pub fn state(&mut self) -> Result<State, ClientError> {
        match self.request(&Request::Status)? {
            Answer::State(state) => Ok(*state),
            answer => Err(unexpected(answer)),
        }
    }

    /// What becomes of a generation on trial, by this evidence.
    pub fn judge(&mut self, evidence: &Evidence) -> Result<Verdict, ClientError> {
        match self.request(&Request::Judge { evidence: evidence.clone() })? {
            Answer::Judged { verdict } => Ok(verdict),
            answer => Err(unexpected(answer)),
        }
    }

    /// Has the agent stopped and the supervisor ended; returns when both have, at the latest after `within`.
    /// What must outlive them, the intent, is recorded by the caller before.
    pub fn stop(mut self, intent: Intent, within: Duration) -> Result<(), ClientError> {
        match self.request(&Request::Stop { intent })? {
            Answer::Stopping => self.await_end(within),
            answer => Err(unexpected(answer)),
        }
    }

    /// Has a staged release tried, and gives the number of the trial. [`State::releases`] tells how it ends.
    pub fn upgrade(&mut self, release: &str, tries: u32) -> Result<u64, ClientError> {
        self.tried(&Request::Upgrade { release: release.into(), tries })
    }

    /// The same, and the release may do without what stands in these maps, where nothing can carry it over.
    pub fn upgrade_with_loss(
        &mut self,
        release: &str,
        tries: u32,
        accept_loss: Vec<String>,
    ) -> Result<u64, ClientError> {
        self.tried(&Request::UpgradeWithLoss { release: release.into(), tries, accept_loss })
    }

    fn tried(&mut self, request: &Request) -> Result<u64, ClientError> {
        match self.request(request)? {
            Answer::Upgrading { trial } => Ok(trial),
            answer => Err(unexpected(answer)),
        }
    }

    /// Asks a supervisor to yield to this process, which will start the agent of the staged release `digest`, perhaps without what
    /// stands in the maps of `accept_loss`, and say commit or rollback within that time. Returns when the old agent has ended, its release has stepped down where the new agent
    /// needs that, and lock and sockets are free.
    pub fn ask(
        mut self,
        release: &str,
        digest: Option<String>,
        accept_loss: Vec<String>,
        commit_within: Duration,
    ) -> Result<Predecessor, ClientError> {
        let commit_within_ms = Some(u64::try_from(commit_within.as_millis()).unwrap_or(u64::MAX));
        let (release, pid) = (release.into(), process::id());
        let ask = match accept_loss.is_empty() {
            true => Request::Ask { release, pid, commit_within_ms, digest },
            false => Request::AskWithLoss { release, pid, commit_within_ms, digest, accept_loss },
        };
        match self.request(&ask)? {
            Answer::Yielded => Predecessor::new(self.stream, self.lines),
            answer => Err(unexpected(answer)),
        }
    }

    fn request(&mut self, request: &Request) -> Result<Answer, ClientError> {
        let sent = encode(request).map_err(io::Error::from).and_then(|line| self.stream.write_all(&line));
        sent.map_err(|source| ClientError::Send { source })?;
        match self.answer(self.patience)?.ok_or(ClientError::Closed)? {
            Answer::Refused { reason, versions } => Err(ClientError::Refused { reason, versions }),
            answer => Ok(answer),
        }
    }

    fn await_end(&mut self, within: Duration) -> Result<(), ClientError> {
        match self.answer(within)? {
            None => Ok(()),
            Some(answer) => Err(unexpected(answer)),
        }
    }

    /// The next answer; none: the supervisor has hung up.
    fn answer(&mut self, within: Duration) -> Result<Option<Answer>, ClientError> {
        let until = Instant::now() + within;
        loop {
            if let Some(line) = self.lines.next_line().map_err(Unreadable::from)? {
                return Ok(Some(decode(&line)?));
            }
            let left = until.saturating_duration_since(Instant::now());
            match receive(&mut self.stream, left) {
                Ok(bytes) if bytes.is_empty() => return Ok(None),
                Ok(bytes) => self.lines.push(&bytes),
                Err(source) if is_silence(&source) => return Err(ClientError::Silent { patience: within }),
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) if source.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(source) => return Err(ClientError::Receive { source }),
            }
        }
    }
}

/// Connecting waits as long as the queue of a stuck listener is full: hence the time-out, which also holds for
/// sending.
fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket: OwnedFd =
        socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let stream = UnixStream::from(socket);
    stream.set_write_timeout(Some(patience))?;
    socket::connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(stream)
}

fn receive(stream: &mut UnixStream, within: Duration) -> io::Result<Vec<u8>> {
    if within.is_zero() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    stream.set_read_timeout(Some(within))?;
    let mut buffer = [0; 4096];
    let bytes = stream.read(&mut buffer)?;
    Ok(buffer[..bytes].to_vec())
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn unexpected(answer: Answer) -> ClientError {
    ClientError::Unexpected { answer: Box::new(answer) }
}
