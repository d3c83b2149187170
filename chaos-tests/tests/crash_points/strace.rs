//! Processes whose system calls are counted and disturbed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use evermesh_chaos_tests::{Result, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use rand::{Rng, seq::IteratorRandom};

use crate::plane::Plane;

/// Calls by which a start, a change of generation, the journal and an uninstallation change something.
const CHANGES: &str =
    "bpf,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,fsync";

/// Calls that change something, or that a step depends on, where they are about what is ours: the journal, records, pins and maps. Loaders of
/// libraries and standard output make them too.
const OF_FILES: &str = "openat,read,getdents64,write,ftruncate,flock,mmap,connect";

/// Calls by which a sentinel is started, talked with and ended. It makes some more itself, which are none of a change.
const OF_SENTINELS: &str = "clone,clone3,vfork,pipe2,dup2,kill,wait4,waitid,pidfd_open,pidfd_send_signal,socketpair,recvmsg,sendto,recvfrom";

/// Calls that read, or that change nothing but the process that makes them.
const LOOKS: &str = "access,arch_prctl,brk,close,execve,exit_group,fcntl,futex,geteuid,getpid,getrandom,gettid,lseek,madvise,mprotect,mremap,\
            munmap,newfstatat,poll,pread64,prlimit64,readlink,readlinkat,rseq,rt_sigaction,rt_sigprocmask,sched_getaffinity,setsockopt,\
            set_robust_list,set_tid_address,sigaltstack,socket,statfs,statx,uname";

/// How many runs are made for calls of which there are not always as many: while a change is on trial, counters are read as often as
/// there is time for.
const RUNS: usize = 5;

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
    let options = [unhindered(plane), &["--decode-fds=path"]].concat();
    let names = format!("{CHANGES},{OF_FILES},{OF_SENTINELS}");
    let (trace, _) = traced(plane, &names, &options, command);
    if !plane.has_sentinel() {
        let text = fs::read_to_string(&trace).unwrap();
        let threads: BTreeSet<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(threads.len(), 1, "strace counts the calls of each thread for itself");
    }
    let ours =
        [plane.directory(), &plane.state_dir(), plane.pins().root()].map(|dir| dir.display().to_string());
    let of_ours = ["bpf-map", "sentinel", "<pipe:"].into_iter().chain(ours.iter().map(String::as_str));
    let is_ours = |line: &str| of_ours.clone().any(|word| line.contains(word));
    let always = [CHANGES, OF_SENTINELS];
    let counts = |call: &Call| always.iter().any(|list| is_in(list, &call.name)) || is_ours(&call.line);
    listed(&trace).into_iter().filter(|call| counts(call) && !is_said(&call.line)).collect()
}

/// A word to whoever waits for it, on standard output or for errors. A test's process may fall over what is wrong with these.
fn is_said(line: &str) -> bool {
    ["write(1<", "write(2<"].iter().any(|call| line.contains(call))
}

#[test]
fn what_is_said_is_told_from_what_is_written_to_others() {
    assert!(is_said("27963 write(1<pipe:[469384095]>, \"done fresh\\n\", 11) = 11"));
    assert!(!is_said("27963 write(11<pipe:[469384096]>, \"go\\n\", 3) = 3"));
}

/// One at random, of a kind at random: of some kinds there are few.
pub fn one_of<'a>(calls: &'a [Call], random: &mut impl Rng) -> &'a Call {
    let kinds: BTreeSet<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    let kind = kinds.into_iter().choose(random).unwrap();
    calls.iter().filter(|call| call.name == kind).choose(random).unwrap()
}

/// The names of all its calls that are in no list.
pub fn unlisted(plane: &Plane, command: &Command) -> BTreeSet<String> {
    let follow = if plane.has_sentinel() { &[][..] } else { &["--follow-forks"] };
    let (trace, _) = traced(plane, "all", follow, command);
    let names = listed(&trace).into_iter().map(|call| call.name);
    names
        .filter(|name| ![CHANGES, OF_FILES, OF_SENTINELS, LOOKS].iter().any(|list| is_in(list, name)))
        .collect()
}

fn is_in(list: &str, name: &str) -> bool {
    list.split(',').any(|listed| listed == name)
}

/// Runs it, and that is done to one of its calls. What it said.
pub fn disturbed(plane: &Plane, call: &Call, fault: &str, command: &Command) -> Output {
    let output = disturbed_if_met(plane, call, fault, command);
    output.unwrap_or_else(|made| panic!("no {fault} of {call:?}, but {made} of its name"))
}

/// The same as [`disturbed`], where it makes that many of these calls; else how many it makes, to which nothing was done.
fn disturbed_if_met(plane: &Plane, call: &Call, fault: &str, command: &Command) -> Result<Output, usize> {
    let injected = call.inject(fault);
    let inject = ["-e", &injected];
    let options = match fault.starts_with("signal") {
        true => inject.to_vec(),
        false => [&inject[..], unhindered(plane)].concat(),
    };
    let (trace, output) = traced(plane, &call.name, &options, command);
    let text = fs::read_to_string(&trace).unwrap();
    let done = ["(INJECTED)", "+++ killed by SIGKILL +++"];
    if done.iter().any(|words| text.contains(words)) { Ok(output) } else { Err(listed(&trace).len()) }
}

/// Of several runs that nothing disturbs, the one with the fewest calls. After each `settle` makes all as it was.
pub fn fewest_calls(plane: &Plane, command: impl Fn() -> Command, settle: impl Fn()) -> Vec<Call> {
    let runs = (0..RUNS).map(|_| {
        let calls = calls(plane, &command());
        settle();
        calls
    });
    runs.min_by_key(Vec::len).unwrap()
}

/// Runs it until that is done to one of its calls: where it makes fewer of that name than it did, to the last that it makes. After each
/// run `settle` makes all as it was.
pub fn disturbed_when_met(
    plane: &Plane,
    call: &Call,
    fault: &str,
    command: impl Fn() -> Command,
    settle: impl Fn(),
) {
    let mut call = call.clone();
    let output = (0..RUNS).find_map(|_| {
        let output = disturbed_if_met(plane, &call, fault, &command());
        settle();
        output.map_err(|made| call.number = made).ok()
    });
    goes_on_or_tells(&output.unwrap_or_else(|| panic!("no {fault} of {call:?}")), fault, &call);
}

/// Runs it to its end, and it gets none of the threads that it asks for. How many these were.
pub fn without_threads(plane: &Plane, command: &Command) -> usize {
    let options = ["--follow-forks", "-e", "inject=clone3:error=EAGAIN"];
    let (trace, output) = traced(plane, "clone3", &options, command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    listed(&trace).len()
}

/// It went on, or ended with an error that says in words of ours what could not be done, before it says why.
pub fn goes_on_or_tells(output: &Output, fault: &str, call: &Call) {
    if fault.starts_with("signal") || output.status.success() {
        return;
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some() && tells(&errors), "{fault} of {call:?}: {errors}");
}

fn tells(errors: &str) -> bool {
    let bare =
        |line: &str| line.ends_with(')') && line.contains("(os error ") && line.matches(": ").count() < 2;
    let first = errors.lines().find(|line| line.to_lowercase().starts_with("error"));
    first.is_some_and(|line| !bare(line)) && !errors.contains("panicked at")
}

#[test]
fn an_error_without_what_could_not_be_done_tells_nothing() {
    assert!(tells("Error: write the journal\n\nCaused by:\n    Input/output error (os error 5)"));
    for errors in [
        "",
        "Error: Input/output error (os error 5)",
        "thread 'main' panicked at src/x.rs\nError: write the journal",
    ] {
        assert!(!tells(errors), "{errors}");
    }
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

/// A sentinel is not followed: it would be disturbed at calls of its own.
const fn unhindered(plane: &Plane) -> &'static [&'static str] {
    if plane.has_sentinel() { &[] } else { &UNHINDERED }
}

/// Runs it with strace, which writes these calls into a file.
fn traced(plane: &Plane, names: &str, options: &[&str], command: &Command) -> (PathBuf, Output) {
    let file = plane.directory().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-e", &format!("trace={names}"), "-o"])
        .arg(&file)
        .args(options)
        .arg(command.get_program())
        .args(command.get_args());
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().unwrap();
    (file, output)
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
