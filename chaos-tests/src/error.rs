use std::{io, net::AddrParseError, path::PathBuf, process::ExitStatus, time::Duration};

use nix::errno::Errno;

/// What the rig could not do. Never a verdict about the mesh: that is the oracle's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A condition did not come true in time.
    #[error("waited {patience:?} in vain for {what}")]
    Awaited {
        /// The condition.
        what: String,
        /// How long it was awaited.
        patience: Duration,
    },
    /// A file or directory of the sandbox could not be used.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Path {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no cgroup v2 in this mount namespace.
    #[error("no cgroup v2 in /proc/self/mountinfo: mount it (`mount -t cgroup2 none DIR`)")]
    NoCgroup2,
    /// A mount, an unmount or a namespace was refused.
    #[error("cannot {action} {path}: {source}; the rig needs root", path = path.display())]
    Kernel {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: Errno,
    },
    /// `ip` (iproute2) is missing or refused a batch.
    #[error("`ip -batch` failed in {place}: {message}; the batch was:\n{batch}")]
    Ip {
        /// The namespace.
        place: String,
        /// Its standard error, or why it did not start.
        message: String,
        /// Its standard input.
        batch: String,
    },
    /// Debian's libfaketime is missing.
    #[error("no {library}: install libfaketime (`scripts/bootstrap tests`)", library = library.display())]
    NoFakeClock {
        /// Where it should be.
        library: PathBuf,
    },
    /// A program did not start.
    #[error("cannot start {program}: {source}", program = program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program ended before it was ready.
    #[error("{what} ended before it was ready ({status}); it said:\n{output}")]
    EndedEarly {
        /// The program.
        what: String,
        /// How.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// A command ended with an error.
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// Evermesh printed what should be JSON of a known form, and is not.
    #[error("cannot understand the JSON of `evermesh {what}`: {source}")]
    Json {
        /// The command.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A binary that a test needs was not built.
    #[error("{name} is not in {}: build it (`cargo build --release`) or set EVERMESH_BIN_DIR", searched.display())]
    NoBinary {
        /// Its name.
        name: String,
        /// The directory that was searched.
        searched: PathBuf,
    },
    /// A signal could not be sent.
    #[error("cannot signal process {pid} ({what}): {source}")]
    Signal {
        /// Whom.
        what: String,
        /// Its id.
        pid: i32,
        /// Why not.
        source: Errno,
    },
    /// A name does not fit where it must stand.
    #[error("`{name}` is no name for a pod or server: 1 to {max} bytes")]
    Name {
        /// The name.
        name: String,
        /// Longest allowed.
        max: usize,
    },
    /// A target of a client makes no sense.
    #[error("`{text}` is no target: write ADDRESS:PORT=NAME,NAME, or ADDRESS:PORT for what must be refused")]
    Target {
        /// The target as given.
        text: String,
        /// Why not.
        source: AddrParseError,
    },
    /// A client's recording is no recording.
    #[error("{path} is no recording of attempts: {why}", path = path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A socket could not be set up or served.
    #[error("cannot {action} port {port}: {source}")]
    Serve {
        /// What was tried.
        action: &'static str,
        /// Where.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// Something of a sandbox is still there after it was closed.
    #[error("left behind: {0}")]
    LeftBehind(String),
    /// The kernel's list of eBPF objects could not be read.
    #[error("cannot list eBPF {kind}: {source}; the rig needs root")]
    Objects {
        /// Which of them.
        kind: String,
        /// Why not.
        source: io::Error,
    },
    /// Events that overlap or run backwards cannot be judged.
    #[error("events are not in order: `{first}` ends after `{second}` begins")]
    EventOrder {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
}

/// Result of the rig.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err` on what the standard library does to a path.
    pub(crate) fn path(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Path { action, path, source }
    }

    /// For `map_err` on a system call that concerns a path.
    pub(crate) fn kernel(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(Errno) -> Self {
        let path = path.into();
        move |source| Self::Kernel { action, path, source }
    }
}
