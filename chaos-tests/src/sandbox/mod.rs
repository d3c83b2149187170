//! One test's own piece of the machine: a directory, a bpffs, cgroups. Its name says who owns it, so that what a
//! killed owner left behind is recognised and swept when the next sandbox is made.

mod cgroup;
mod footprint;
mod inventory;
pub mod mounts;
mod name;
mod objects;
mod removal;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

pub use cgroup::Cgroup;
pub use footprint::Footprint;
pub use inventory::Inventory;
pub use name::SandboxName;
pub use objects::Objects;
pub use removal::remove;

use crate::{Error, Result, sys::Placement};

/// Everything a test makes on the machine. Dropped: gone, and checked to be gone.
#[derive(Debug)]
pub struct Sandbox {
    name: SandboxName,
    dir: PathBuf,
    whole: Cgroup,
    pods: Cgroup,
    mesh: Cgroup,
    closed: bool,
}

impl Sandbox {
    /// Sweeps what dead owners left behind, then makes a new one.
    pub fn new() -> Result<Self> {
        removal::sweep()?;
        let name = SandboxName::next();
        let whole = Cgroup::root()?.child(&name.to_string());
        let sandbox = Self {
            dir: name.directory(),
            pods: whole.child("pods"),
            mesh: whole.child("mesh"),
            whole,
            name,
            closed: false,
        };
        sandbox.make()?;
        Ok(sandbox)
    }

    fn make(&self) -> Result<()> {
        for dir in [&self.dir, &self.state_dir(), &self.run_dir(), &self.netns_dir(), &self.log_dir()] {
            fs::create_dir(dir).map_err(Error::path("create", dir))?;
        }
        mounts::mount_bpffs(&self.dir.join("bpf"))?;
        [&self.whole, &self.pods, &self.mesh].into_iter().try_for_each(Cgroup::create)
    }

    /// Unique on this machine, and for ever in practice.
    pub fn name(&self) -> &SandboxName {
        &self.name
    }

    /// Files of the test itself may stand here; they go with the sandbox.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// For `--state-dir`.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Gives the state directory a disk of its own, of so many bytes; what stood in it is not seen any more.
    pub fn limit_state_dir(&self, bytes: u64) -> Result<()> {
        mounts::mount_tmpfs(&self.state_dir(), bytes)
    }

    /// For `--run-dir`.
    pub fn run_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// For `--bpffs`: a directory that does not exist yet, in a bpffs that is this sandbox's own.
    pub fn bpffs(&self) -> PathBuf {
        self.dir.join("bpf/evermesh")
    }

    /// For `--cgroup`: above every pod, above nothing else.
    pub fn pods_cgroup(&self) -> &Cgroup {
        &self.pods
    }

    /// Output of every process.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The last lines of every process's output, for whoever looks for a cause before the sandbox goes.
    pub fn logs(&self) -> String {
        let entries = fs::read_dir(self.log_dir()).into_iter().flatten().flatten();
        let logs = entries.map(|e| e.path()).filter(|path| path.extension().is_some_and(|e| e == "log"));
        logs.map(|path| tail(&path)).collect()
    }

    pub(crate) fn netns_dir(&self) -> PathBuf {
        self.dir.join("netns")
    }

    /// Where programs of the mesh run: in the sandbox, outside the hooked cgroup.
    pub fn mesh_cgroup(&self) -> &Cgroup {
        &self.mesh
    }

    pub(crate) fn mesh_placement(&self) -> Result<Placement> {
        Ok(Placement { netns: None, cgroup_procs: self.mesh.open_procs()? })
    }

    /// Ends all processes of the sandbox, removes all of it and waits until the kernel has freed it.
    pub fn close(mut self) -> Result<()> {
        self.closed = true;
        removal::remove(&self.name)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if thread::panicking() {
            eprintln!("{}", self.logs());
        }
        match removal::remove(&self.name) {
            Err(error) if !thread::panicking() => panic!("sandbox {}: {error}", self.name),
            Err(error) => eprintln!("sandbox {}: {error}", self.name),
            Ok(()) => {}
        }
    }
}

fn tail(path: &Path) -> String {
    const LINES: usize = 40;
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    format!("--- {}\n{last}\n", path.display())
}
