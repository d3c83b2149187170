use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use evermesh_handover::errand::{ACCEPT_LOSS, STEP_DOWN};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};

use super::tether::tether;
use crate::{
    machine::Which,
    release::{LAUNCHED_BY, Layouts},
};

/// Tells an agent that its release is on trial: where its programs cannot take over it ends, and the committed release
/// takes its place. A variable, because a release that does not know it must not stumble over it.
const ON_TRIAL: &str = "EVERMESH_CANDIDATE";

/// How to start an agent.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its arguments.
    pub args: Vec<OsString>,
    /// How long it may be silent, as it is told.
    pub watchdog: Duration,
}

/// A running agent, or one whose end has not been taken note of. It lives in a process group of its own, so that
/// Ctrl-C at a terminal does not reach it, and dies with this process.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    pidfd: OwnedFd,
}

impl Recipe {
    /// Starts that program, which may do without what stands in the maps of `accept_loss`. It holds `lock` too: whoever finds the lock
    /// free knows that supervisor and agent are gone.
    pub fn spawn(
        &self,
        which: Which,
        program: &Path,
        accept_loss: &[String],
        notify_socket: &Path,
        lock: BorrowedFd<'_>,
    ) -> io::Result<Agent> {
        let mut command = self.command(program, accept_loss, notify_socket, lock);
        command.args(&self.args).stdin(Stdio::null());
        command.envs((which == Which::Candidate).then_some((ON_TRIAL, "true")));
        Agent::watch(command.spawn()?)
    }

    /// The same, for a process that steps down and ends. It reads what the candidate says of its layouts.
    pub fn step_down(
        &self,
        program: &Path,
        said: &Layouts,
        accept_loss: &[String],
        notify_socket: &Path,
        lock: BorrowedFd<'_>,
    ) -> io::Result<Agent> {
        let mut command = self.command(program, accept_loss, notify_socket, lock);
        command.arg(STEP_DOWN).args(&self.args).stdin(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let agent = Agent::watch(child)?;
        // It fits into a pipe. Who does not read to the end of it ends, and says why.
        let _cut_short = input.map(|mut input| input.write_all(&Vec::from(said)));
        Ok(agent)
    }

    fn command(
        &self,
        program: &Path,
        accept_loss: &[String],
        notify_socket: &Path,
        lock: BorrowedFd<'_>,
    ) -> Command {
        let mut command = Command::new(program);
        command.process_group(0);
        command.env("NOTIFY_SOCKET", notify_socket);
        command.env_remove(ON_TRIAL).env_remove(ACCEPT_LOSS);
        command.envs((!accept_loss.is_empty()).then(|| (ACCEPT_LOSS, accept_loss.join(","))));
        command.env("WATCHDOG_USEC", self.watchdog.as_micros().to_string());
        // That of this process, if systemd started it, would make the agent ignore the time above.
        command.env_remove("WATCHDOG_PID").env_remove(LAUNCHED_BY);
        tether(&mut command, lock);
        command
    }
}

impl Agent {
    fn watch(mut child: Child) -> io::Result<Self> {
        match pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { child, pidfd }),
            Err(errno) => {
                child.kill()?;
                child.wait()?;
                Err(errno.into())
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal. The pid cannot have been reused: nobody else waits for it.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        kill(self.id(), signal)
    }

    /// It has ended, and [`Agent::bury`] will not wait.
    pub fn has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        !matches!(waitid(Id::Pid(self.id()), flags), Ok(WaitStatus::StillAlive) | Err(Errno::EINTR))
    }

    /// Takes note of its end, however it came, after killing what it left of its process group; the group's id
    /// cannot have been reused before.
    pub fn bury(mut self) -> io::Result<ExitStatus> {
        match killpg(self.id(), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => self.child.wait(),
            Err(errno) => Err(errno.into()),
        }
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.pid().cast_signed())
    }
}

/// Readable when it has ended.
impl AsFd for Agent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}
