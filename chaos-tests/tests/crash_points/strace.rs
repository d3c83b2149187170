//! Processes whose system calls are counted and disturbed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use evermesh_chaos_tests::{Result, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::plane::Plane;

/// Calls by which a start, a change of generation, the journal and an uninstallation change something.
pub const CALLS: &str =
    "bpf,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,fsync,membarrier";

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One of the calls of a run. Strace counts those of each name for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// Among those of its name, from 1.
    number: usize,
    /// As strace writes it.
    pub line: String,
}

impl Call {
    /// What has strace do that to it.
    pub fn inject(&self, fault: &str) -> String {
        format!("inject={}:{fault}:when={}", self.name, self.number)
    }
}

/// Those of a run that nothing disturbs.
pub fn calls(plane: &Plane, command: &Command) -> Vec<Call> {
    let trace = traced(plane, CALLS, &UNHINDERED, command);
    let text = fs::read_to_string(&trace).unwrap();
    let threads: BTreeSet<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(threads.len(), 1, "strace counts the calls of each thread for itself");
    listed(&trace)
}

/// Runs it, and that is done to one of its calls.
pub fn disturbed(plane: &Plane, call: &Call, fault: &str, command: &Command) {
    let injected = call.inject(fault);
    let inject = ["-e", &injected];
    let options = match fault.starts_with("signal") {
        true => inject.to_vec(),
        false => [&inject[..], &UNHINDERED].concat(),
    };
    let text = fs::read_to_string(traced(plane, &call.name, &options, command)).unwrap();
    let done = ["(INJECTED)", "+++ killed by SIGKILL +++"];
    assert!(done.iter().any(|words| text.contains(words)), "no {fault} of {call:?}");
}

/// Those in a file of strace's.
pub fn listed(trace: &Path) -> Vec<Call> {
    let mut numbers = BTreeMap::new();
    let text = fs::read_to_string(trace).unwrap();
    let named = text.lines().filter_map(|line| Some((line, line.split_once('(')?.0)));
    let call = |(line, name): (&str, &str)| {
        // Threads that are followed are named first.
        let name = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let number = numbers.entry(name.to_owned()).and_modify(|number| *number += 1).or_insert(1);
        Call { name: name.to_owned(), number: *number, line: line.to_owned() }
    };
    named.map(call).collect()
}

/// Calls that are not traced are not stopped at, which is a third of the time. Signals of strace's do not arrive then.
const UNHINDERED: [&str; 2] = ["--follow-forks", "--seccomp-bpf"];

/// Runs it with strace, which writes these calls into a file.
fn traced(plane: &Plane, names: &str, options: &[&str], command: &Command) -> PathBuf {
    let file = plane.directory().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-e", &format!("trace={names}"), "-o"])
        .arg(&file)
        .args(options)
        .arg(command.get_program())
        .args(command.get_args());
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.output().unwrap();
    file
}

/// Strace, attached to a process that runs, but not to those that it starts. It lets go when this is dropped.
pub struct Attached {
    strace: Child,
    process: Pid,
}

impl Attached {
    /// Counts and disturbs by that expression, and writes into that file.
    pub fn to(process: Pid, expression: &str, file: &Path) -> Result<Self> {
        let mut strace = Command::new("strace");
        strace.arg("-o").arg(file).args(["-e", expression, "-p", &process.to_string()]);
        let strace = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let attached = Self { strace, process };
        wait::until("strace to be attached", PATIENCE, || attached.holds().then_some(attached.process))?;
        Ok(attached)
    }

    /// The process has ended, or nearly so.
    pub fn has_let_go(&self) -> bool {
        !self.holds()
    }

    fn holds(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_some_and(|pid| pid.trim() == self.strace.id().to_string())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It may have ended with the process.
        kill(Pid::from_raw(self.strace.id().cast_signed()), Signal::SIGTERM).ok();
        self.strace.wait().unwrap();
    }
}
