use std::{
    ffi::OsStr,
    io::{self, Read as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};

use super::{ReleaseError, SUPERVISOR};

/// How a program ends that does not understand its arguments.
const WRONG_COMMAND_LINE: i32 = 2;
/// How long a program may take to say its version.
const WITHIN: Duration = Duration::from_secs(5);
/// How long a file may count as being written by a process that was forked meanwhile.
const BUSY_MAX: Duration = Duration::from_secs(1);

/// As much of an answer as is read: what a pipe holds.
const LONGEST: usize = 1 << 16;

/// What the program answers to `--version`: one made for another machine, or without its loader, answers nothing.
pub fn version(program: &str, path: &Path) -> Result<String, ReleaseError> {
    let said = answer(program, path, "--version")?;
    let nothing = || ReleaseError::DoesNotRun {
        program: program.into(),
        path: path.into(),
        what: "says nothing".into(),
    };
    said.lines().next().map(str::to_owned).ok_or_else(nothing)
}

/// What the program answers to that argument.
pub fn answer(program: &str, path: &Path, argument: &str) -> Result<String, ReleaseError> {
    let (status, said) = asked(program, path, &[argument.as_ref()])?;
    if status.success() { Ok(said) } else { Err(wrong(program, path, format!("ends with {status}"))) }
}

/// Whether a release's supervisor says that it would find what it needs in these directories. One that takes the question for a wrong
/// command line is older than that.
pub fn check_supervisor(release: &Path, run_dir: &Path, state_dir: &Path) -> Result<(), ReleaseError> {
    let path = release.join(SUPERVISOR);
    let arguments = ["--check".as_ref(), "--run-dir".as_ref(), run_dir, "--state-dir".as_ref(), state_dir];
    let (status, said) = asked(SUPERVISOR, &path, &arguments.map(Path::as_os_str))?;
    match status.code() {
        Some(0 | WRONG_COMMAND_LINE) => Ok(()),
        _ => Err(ReleaseError::Supervisor { path, status, said }),
    }
}

fn wrong(program: &str, path: &Path, what: String) -> ReleaseError {
    ReleaseError::DoesNotRun { program: program.into(), path: path.into(), what }
}

/// How the program ends that is given these arguments, and what it says.
fn asked(program: &str, path: &Path, arguments: &[&OsStr]) -> Result<(ExitStatus, String), ReleaseError> {
    let wrong = |what: String| wrong(program, path, what);
    let cannot_wait = |error: io::Error| wrong(format!("cannot be waited for: {error}"));
    let mut child = spawn(path, arguments).map_err(|error| wrong(format!("cannot be started: {error}")))?;
    let ended = ends(&child);
    kill(&mut child);
    let too_long = |killed: &str| wrong(format!("does not end within {} s{killed}", WITHIN.as_secs()));
    if !ends(&child).map_err(cannot_wait)? {
        return Err(too_long(", and cannot be killed"));
    }
    let status = child.wait().map_err(cannot_wait)?;
    match ended {
        Ok(true) => Ok((status, said(&mut child))),
        Ok(false) => Err(too_long("")),
        Err(error) => Err(cannot_wait(error)),
    }
}

/// With all of its group, which it may have left. It is not waited for yet, so both ids are its own.
fn kill(child: &mut Child) {
    let group = Pid::from_raw(child.id().cast_signed());
    let _gone = killpg(group, Signal::SIGKILL);
    let _ended = child.kill();
}

fn spawn(path: &Path, arguments: &[&OsStr]) -> io::Result<Child> {
    let until = Instant::now() + BUSY_MAX;
    loop {
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        match command.process_group(0).spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && Instant::now() < until => {
                thread::sleep(Duration::from_millis(5));
            }
            spawned => return spawned,
        }
    }
}

fn ends(child: &Child) -> io::Result<bool> {
    let process = pidfd_open(rustix::process::Pid::from_child(child), PidfdFlags::empty())?;
    let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut ended, PollTimeout::try_from(WITHIN).unwrap_or(PollTimeout::MAX)) {
            Err(Errno::EINTR) => {}
            result => return Ok(result? > 0),
        }
    }
}

/// What it has written, without waiting for whoever else has inherited its output.
fn said(child: &mut Child) -> String {
    let mut words = vec![0; LONGEST];
    let Some(mut output) = child.stdout.take() else { return String::new() };
    let at_once = fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    let mut bytes = 0;
    while at_once.is_ok() && bytes < words.len() {
        match output.read(&mut words[bytes..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => bytes += more,
        }
    }
    String::from_utf8_lossy(&words[..bytes]).trim().to_owned()
}
