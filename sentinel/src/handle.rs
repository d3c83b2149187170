use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{ARGUMENT, Findings, SentinelError, process::Said};

/// How the name of a sentinel's cgroup begins; the process id of whoever started it follows.
const CGROUP: &str = "evermesh-sentinel-";

/// A sentinel that stands by. Dropped: it ends, and its cgroup goes.
///
/// The fields are dropped in this order.
#[derive(Debug)]
pub struct Sentinel {
    process: Process,
    cgroup: Scratch,
}

/// A process that does not outlive its handle.
#[derive(Debug)]
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

/// A cgroup that was made for a sentinel.
#[derive(Debug)]
struct Scratch(PathBuf);

/// Removes the cgroups below `above` that sentinels have left whose agents were killed, and says which. One with a process in it
/// stays.
pub fn remove_left_cgroups(above: &Path) -> Vec<PathBuf> {
    let is_ours = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|it| it.starts_with(CGROUP));
    let left = fs::read_dir(above).into_iter().flatten().flatten().filter(is_ours);
    left.map(|entry| entry.path()).filter(|path| fs::remove_dir(path).is_ok()).collect()
}

impl Sentinel {
    /// Starts `program`, whose first argument [`ARGUMENT`] makes it [`serve`](crate::serve), in a new cgroup below `above`.
    /// It ends with the thread that called this.
    pub fn start(program: &Path, above: &Path) -> Result<Self, SentinelError> {
        let cgroup = Scratch::make(above)?;
        let spawn = |source| SentinelError::Spawn { program: program.to_owned(), source };
        let mut process = Process::start(program).map_err(spawn)?;
        cgroup.put(&process.child)?;
        match process.ask("go")? {
            Said::Ready => Ok(Self { process, cgroup }),
            Said::Unable(what) => Err(SentinelError::Unable(what)),
            Said::Found(_) => Err(unexpected()),
        }
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> &Path {
        &self.cgroup.0
    }

    /// Its network namespace.
    pub fn network(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.process.child.id()).into()
    }

    /// Has it make so many rounds, or as many as go well; each takes about a millisecond.
    pub fn probe(&mut self, rounds: u32) -> Result<Findings, SentinelError> {
        match self.process.ask(&rounds.to_string())? {
            Said::Found(findings) => Ok(findings),
            Said::Unable(what) => Err(SentinelError::Unable(what)),
            Said::Ready => Err(unexpected()),
        }
    }
}

impl Process {
    fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        Ok(Self { child, output: BufReader::new(output) })
    }

    fn ask(&mut self, line: &str) -> Result<Said, SentinelError> {
        self.say(line).and_then(|()| self.hear()).map_err(SentinelError::Silent)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.child.stdin.as_mut().ok_or_else(no_pipe)?, "{line}")
    }

    fn hear(&mut self) -> io::Result<Said> {
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        serde_json::from_str(&answer).map_err(io::Error::from)
    }
}

fn no_pipe() -> io::Error {
    io::Error::other("it has no pipe")
}

impl Drop for Process {
    /// It may have ended by itself. Where no signal reaches it, as by a security profile, it ends with its input, which is closed
    /// before it is waited for.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Scratch {
    /// One that a sentinel before has left behind goes first.
    fn make(above: &Path) -> Result<Self, SentinelError> {
        let path = above.join(format!("{CGROUP}{}", std::process::id()));
        let failed = |source| SentinelError::Cgroup { path: path.clone(), source };
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(failed)?,
        }
        Ok(Self(path))
    }

    fn put(&self, child: &Child) -> Result<(), SentinelError> {
        let path = self.0.join("cgroup.procs");
        let failed = |source| SentinelError::Cgroup { path: path.clone(), source };
        fs::write(&path, child.id().to_string()).map_err(failed)
    }
}

impl Drop for Scratch {
    /// What cannot be removed now hooks nothing and holds nobody.
    fn drop(&mut self) {
        let _left = fs::remove_dir(&self.0);
    }
}

fn unexpected() -> SentinelError {
    SentinelError::Silent(io::Error::other("it says something else"))
}
