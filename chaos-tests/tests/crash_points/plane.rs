//! A data plane that processes take over from each other.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use evermesh_abi::control::PHASE_STEADY;
use evermesh_chaos_tests::{
    binaries,
    oracle::{Event, Report},
    pod::Pod,
    sandbox::Sandbox,
    stage::{Stage, Traffic, config},
};
use evermesh_loader::generation::JournalFile;
use evermesh_pins::{Enrolment, Hook, Inventory, Manifest, PinDir, Table};
use nix::sys::signal::Signal;

/// What a change of generation is for: another size of a table. Whoever changes from one to the other makes a new
/// generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One that belongs to a generation.
    Table,
    /// One that all share and programs write: what stands in it is carried over.
    Frozen,
    /// One that all share and user space writes, which waits meanwhile.
    Pods,
}

impl Kind {
    /// The two sizes.
    pub const fn sizes(self) -> [u32; 2] {
        match self {
            Self::Table => [1024, 2048],
            Self::Frozen => [8192, 16384],
            Self::Pods => [64, 128],
        }
    }

    /// The other one.
    pub fn other(self, room: u32) -> u32 {
        let sizes = self.sizes();
        sizes[usize::from(room == sizes[0])]
    }
}

/// A node, its pods and its traffic, and no data plane but what is pinned.
///
/// Declared in the order in which things must go.
pub struct Plane {
    pub kind: Kind,
    has_sentinel: bool,
    mesh: PathBuf,
    stage: Stage,
    sandbox: Sandbox,
}

/// What a process is to do.
#[derive(Clone, Copy)]
pub struct Task {
    pub room: u32,
    pub then: &'static str,
    pub end_at: Option<usize>,
}

/// How far a process came.
pub struct Run {
    /// Every step, `before` or `after` it.
    pub moments: Vec<String>,
    killed: bool,
    succeeded: bool,
    errors: String,
}

impl Plane {
    /// Generation 1 stands, and the pods are enrolled.
    pub fn new(kind: Kind) -> Self {
        Self::made(kind, false)
    }

    /// The same, and new generations are tried by a sentinel.
    pub fn with_sentinel(kind: Kind) -> Self {
        Self::made(kind, true)
    }

    fn made(kind: Kind, has_sentinel: bool) -> Self {
        let sandbox = Sandbox::new().unwrap();
        let stage = Stage::new(&sandbox).unwrap();
        let mesh = sandbox.dir().join("mesh.yaml");
        fs::write(&mesh, config::with(&stage.web)).unwrap();
        let plane = Self { kind, has_sentinel, mesh, stage, sandbox };
        plane.run(Task { room: kind.sizes()[0], then: "commit", end_at: None }).finished();
        plane.enrol();
        plane
    }

    /// Every pod that is to be.
    pub fn enrol(&self) {
        self.stage.enrol(&self.pins()).unwrap();
    }

    pub fn run(&self, task: Task) -> Run {
        Run::of(&self.command(task).output().unwrap())
    }

    /// By the data plane of that release.
    pub fn run_by(&self, program: &str, task: Task) -> Run {
        Run::of(&self.command_of(program, task).output().unwrap())
    }

    /// The same as [`Self::run`], and what stands in maps that programs write may be lost.
    pub fn run_losing(&self, task: Task) -> Run {
        let mut command = self.command(task);
        Run::of(&command.args(["--accept-loss", &Table::names(&Table::CARRIED)]).output().unwrap())
    }

    pub fn under_traffic(&self, act: impl FnOnce() -> Vec<Event>) -> Report {
        Traffic::around(&self.stage, || Ok(act())).unwrap()
    }

    /// One generation that is live, every link on it, nothing left of what led to it, and a journal that knows of no
    /// change. Its number and the room.
    pub fn settled(&self) -> (u32, u32) {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let live = inventory.live.unwrap();
        assert_eq!(inventory.generations.keys().collect::<Vec<_>>(), [&live]);
        let generation = &inventory.generations[&live];
        for hook in Hook::ALL {
            assert_eq!(inventory.links[&hook].info.program_id, generation.programs[&hook].info.id, "{hook}");
        }
        let journal = JournalFile::open(self.state_dir());
        assert_eq!(journal.now().change, None);
        assert_eq!((generation.carried.len(), generation.bridge.len()), (0, 0));
        assert_eq!(inventory.phase, PHASE_STEADY);
        self.no_sentinel_is_left();
        (live, self.room())
    }

    fn no_sentinel_is_left(&self) {
        let pods = Enrolment::open(&self.pins()).unwrap().list().unwrap();
        assert!(pods.iter().all(|pod| pod.name != evermesh_sentinel::NAME), "{pods:?}");
        let above = self.sandbox.pods_cgroup();
        let mut names = fs::read_dir(above.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!names.any(|name| name.to_string_lossy().contains("sentinel")), "a cgroup of a sentinel");
    }

    /// The room in the table that is changed.
    pub fn room(&self) -> u32 {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let generation = &inventory.generations[&inventory.live.unwrap()];
        let of = |manifest: &Manifest| manifest.tables[&Table::Endpoints].max_entries - 1;
        match self.kind {
            Kind::Table => of(generation.manifest.as_ref().unwrap()),
            Kind::Frozen => inventory.frozen[&Table::Origins].info.max_entries,
            Kind::Pods => inventory.frozen[&Table::Enrolled].info.max_entries,
        }
    }

    /// Processes are started and ended, which is not all on one thread.
    pub const fn has_sentinel(&self) -> bool {
        self.has_sentinel
    }

    /// For files of a test.
    pub fn directory(&self) -> &Path {
        self.sandbox.dir()
    }

    /// The file of the journal.
    pub fn journal(&self) -> PathBuf {
        self.state_dir().join("journal")
    }

    pub fn command(&self, task: Task) -> Command {
        self.command_of("evermesh-plane", task)
    }

    /// Where the mesh is described, for whoever runs next.
    pub fn mesh(&self) -> &Path {
        &self.mesh
    }

    /// Has a pod without traffic enrolled, or removed, by the command line of a release.
    pub fn enrolling(&self, command_line: &Path, enrolled: bool) -> Writer {
        let mut command = Command::new(command_line);
        match enrolled {
            true => command.args(["pod", "add", Writer::POD, "--netns", "/proc/self/ns/net"]),
            false => command.args(["pod", "remove", Writer::POD]),
        };
        command.arg("--bpffs").arg(self.pins().root()).stdout(Stdio::null()).stderr(Stdio::piped());
        Writer { pins: self.pins(), process: command.spawn().unwrap(), enrolled }
    }

    /// The pods behind the service.
    pub fn web(&self) -> &[Pod] {
        &self.stage.web
    }

    /// The pod from which attempts come.
    pub fn client(&self) -> &Pod {
        &self.stage.client
    }

    /// Where records are kept.
    pub fn state_dir(&self) -> PathBuf {
        self.sandbox.state_dir()
    }

    pub fn command_of(&self, program: &str, task: Task) -> Command {
        let mut command = Command::new(binaries::find(program).unwrap());
        command.args(self.directories()).arg("--cgroup").arg(self.sandbox.pods_cgroup().path());
        command.arg("--config").arg(&self.mesh);
        let room = task.room.to_string();
        match self.kind {
            Kind::Table => command.args(["--endpoints", &room]),
            Kind::Frozen => command.args(["--endpoints", "1024", "--origins", &room]),
            Kind::Pods => command.args(["--endpoints", "1024", "--pods", &room]),
        };
        command.args(["--then", task.then]);
        command.args(self.has_sentinel.then_some("--sentinel"));
        // Of all that fails there, errors say enough.
        command.env("RUST_BACKTRACE", "0");
        command.args(task.end_at.iter().flat_map(|at| ["--end-at".to_owned(), at.to_string()]));
        command
    }

    /// Where its pins and its journal are, as flags.
    pub fn directories(&self) -> [PathBuf; 4] {
        ["--bpffs".into(), self.pins().root().to_owned(), "--state-dir".into(), self.state_dir()]
    }

    pub fn pins(&self) -> PinDir {
        PinDir::new(self.sandbox.bpffs())
    }
}

/// Somebody who enrols or removes a pod, while everything else goes on.
pub struct Writer {
    pins: PinDir,
    process: Child,
    enrolled: bool,
}

impl Writer {
    const POD: &str = "late";

    /// It has done so, and the pod is there, or gone.
    pub fn finished(self) {
        let output = self.process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let pods = Enrolment::open(&self.pins).unwrap().list().unwrap();
        assert_eq!(pods.iter().any(|pod| pod.name == Self::POD), self.enrolled, "lost or resurrected");
    }
}

impl Run {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let moment = |line: &str| Some(line.split_once(' ')?.1.to_owned());
        let moments = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        Self {
            moments: moments.filter_map(moment).collect(),
            killed: output.status.signal() == Some(Signal::SIGKILL as i32),
            succeeded: output.status.success(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It was cut off where it should be.
    pub fn cut_off(self) -> Self {
        assert!(self.killed, "{:?}: {}", self.moments.last(), self.errors);
        self
    }

    /// It ended by itself, with an error that says this.
    pub fn refused(self, words: &str) {
        assert!(!self.succeeded && !self.killed && self.errors.contains(words), "{}", self.errors);
    }

    pub fn finished(self) -> Self {
        assert!(self.succeeded, "{:?}: {}", self.moments.last(), self.errors);
        self
    }

    /// The word that the new generation stays was on the disk.
    pub fn is_committed(&self) -> bool {
        self.moments.iter().any(|moment| moment == "after record that the change is committed")
    }
}
