use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use evermesh_pins::{PinDir, WriterLock, WriterLockError};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use procfs::process::Process;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

const AGENT: &str = "evermesh-agent";
const SUPERVISOR: &str = "evermesh-supervisor";
/// How long an agent may take to end by itself.
const END: Duration = Duration::from_secs(5);
/// How long the kernel may take to end one that was killed.
const KILLED: Duration = Duration::from_secs(5);

/// An agent that runs without a supervisor. Whoever holds the writer's lock and is an agent by its executable.
#[derive(Debug)]
pub struct LoneAgent {
    pid: u32,
    /// Means this process and no later one of the same id.
    process: OwnedFd,
    /// The service of a service manager that it runs in.
    unit: Option<String>,
}

/// An agent that was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Its process id.
    pub pid: u32,
    /// The service of a service manager that it ran in, and that may start it again.
    pub unit: Option<String>,
}

/// Why an agent that runs without a supervisor was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum LoneAgentError {
    /// Who writes to the pins could not be found out.
    #[error(transparent)]
    Holder(#[from] WriterLockError),
    /// It has a supervisor, which would start the next one.
    #[error(
        "the agent (pid {pid}) has a supervisor (pid {supervisor}) with another run directory; nothing was removed. \
         Name that directory with --run-dir"
    )]
    Supervised {
        /// The agent.
        pid: u32,
        /// Its parent.
        supervisor: i32,
    },
    /// A system call failed.
    #[error(
        "cannot {step} the agent (pid {pid}): {source}; nothing was removed. Stop it, then run `evermesh uninstall` again"
    )]
    Process {
        /// What was tried.
        step: &'static str,
        /// The agent.
        pid: u32,
        /// Why it failed.
        source: io::Error,
    },
    /// It does not even end when it is killed.
    #[error("the agent (pid {pid}) was killed and does not end: the kernel holds it; nothing was removed")]
    Immortal {
        /// The agent.
        pid: u32,
    },
}

impl LoneAgent {
    /// The agent that writes to `pins`. `None`: nobody does, or it is no agent.
    pub fn find(pins: &PinDir) -> Result<Option<Self>, LoneAgentError> {
        let Some(pid) = WriterLock::holder(pins)? else { return Ok(None) };
        let Some(process) = open(pid)? else { return Ok(None) };
        // Asked again: what is open now is the holder, or it has ended, and then no signal reaches anybody.
        if WriterLock::holder(pins)? != Some(pid) || !runs(pid.cast_signed(), AGENT) {
            return Ok(None);
        }
        match supervisor(pid) {
            Some(supervisor) => Err(LoneAgentError::Supervised { pid, supervisor }),
            None => Ok(Some(Self { pid, process, unit: unit(pid) })),
        }
    }

    /// Has it end; kills it when it does not. Returns when it has ended.
    pub fn stop(self) -> Result<Stopped, LoneAgentError> {
        self.signal(Signal::TERM)?;
        if !self.ends_within(END)? {
            self.signal(Signal::KILL)?;
            if !self.ends_within(KILLED)? {
                return Err(LoneAgentError::Immortal { pid: self.pid });
            }
        }
        Ok(Stopped { pid: self.pid, unit: self.unit })
    }

    /// One that has ended meanwhile needs no signal.
    fn signal(&self, signal: Signal) -> Result<(), LoneAgentError> {
        match pidfd_send_signal(&self.process, signal) {
            Err(error) if error != rustix::io::Errno::SRCH => Err(failed("signal", self.pid)(error.into())),
            _ => Ok(()),
        }
    }

    fn ends_within(&self, patience: Duration) -> Result<bool, LoneAgentError> {
        let mut ended = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        loop {
            match poll(&mut ended, patience) {
                Err(Errno::EINTR) => {}
                result => {
                    let ready = result.map_err(|errno| failed("wait for", self.pid)(errno.into()))?;
                    return Ok(ready > 0);
                }
            }
        }
    }
}

/// `None`: it has ended.
fn open(pid: u32) -> Result<Option<OwnedFd>, LoneAgentError> {
    let Some(raw) = Pid::from_raw(pid.cast_signed()) else { return Ok(None) };
    match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(failed("open", pid)(error.into())),
    }
}

/// Whether the process executes a program of that name, which may have been replaced on disk since.
fn runs(pid: i32, name: &str) -> bool {
    let executable = Process::new(pid).and_then(|process| process.exe());
    let file = executable.ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    file.is_some_and(|file| file.strip_suffix(" (deleted)").unwrap_or(&file) == name)
}

fn supervisor(pid: u32) -> Option<i32> {
    let parent = Process::new(pid.cast_signed()).and_then(|process| process.stat()).ok()?.ppid;
    runs(parent, SUPERVISOR).then_some(parent)
}

fn unit(pid: u32) -> Option<String> {
    let groups = Process::new(pid.cast_signed()).and_then(|process| process.cgroups()).ok()?;
    let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
    groups.into_iter().filter_map(|group| last(&group.pathname)).find(|name| name.ends_with(".service"))
}

fn failed(step: &'static str, pid: u32) -> impl Fn(io::Error) -> LoneAgentError {
    move |source| LoneAgentError::Process { step, pid, source }
}
