//! A process of the sandbox: it ends with its handle, with the thread that started it, and with the sandbox.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    Error, Result,
    sys::{self, Placement},
    wait,
};

/// The line by which a program says that it serves.
pub const READY: &str = "ready";

/// A running program.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` inside `placement`, its output going to `LOG_DIR/WHAT.log`.
    pub(crate) fn spawn(
        what: &str,
        mut command: Command,
        placement: Placement,
        log_dir: &Path,
    ) -> Result<Self> {
        let log = log_dir.join(format!("{what}.log"));
        let output = File::create(&log).map_err(Error::path("create", &log))?;
        let errors = output.try_clone().map_err(Error::path("open", &log))?;
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        sys::place(&mut command, placement);
        let program = PathBuf::from(command.get_program());
        let child = command.spawn().map_err(|source| Error::Spawn { program, source })?;
        Ok(Self { what: what.to_owned(), child, log })
    }

    /// What it was started as.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Everything it has printed.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for the line `ready`.
    pub fn await_ready(&mut self, patience: Duration) -> Result<()> {
        let what = format!("{} to be ready", self.what);
        wait::until(&what, patience, || match self.exited() {
            Some(status) => Some(Err(self.ended_early(status))),
            None => self.output().lines().any(|line| line == READY).then_some(Ok(())),
        })?
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn ended_early(&self, status: ExitStatus) -> Error {
        Error::EndedEarly { what: self.what.clone(), status, output: self.output() }
    }

    /// Waits for its end.
    pub fn await_exit(&mut self, patience: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.what);
        wait::until(&what, patience, || self.exited())
    }

    /// Closes its standard input: clients take this as the word to stop.
    pub fn close_input(&mut self) {
        drop::<Option<ChildStdin>>(self.child.stdin.take());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        send(&self.what, self.pid(), signal)
    }
}

/// Sends `signal` to `pid`, which is known as `what`.
pub(crate) fn send(what: &str, pid: Pid, signal: Signal) -> Result<()> {
    kill(pid, signal).map_err(|source| Error::Signal { what: what.to_owned(), pid: pid.as_raw(), source })
}

impl Drop for Process {
    /// Either call fails only if the process has been waited for already.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
