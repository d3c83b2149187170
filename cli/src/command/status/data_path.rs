use std::path::{Path, PathBuf};

use evermesh_pins::{
    Control, Enrolment, Hook, Inventory, PinDir, TablesView,
    host::{self, Cgroup},
    verify,
};
use nix::time::{ClockId, clock_gettime};

use crate::{
    Failure,
    args::Directories,
    command::pod::{PodView, listed},
};

/// What traffic obeys, as it stands in the kernel.
#[derive(Clone, Debug, Default)]
pub struct DataPath {
    /// Whether anything of Evermesh is pinned.
    pub stands: bool,
    /// The live generation.
    pub generation: Option<u32>,
    /// Hooks that are attached to a cgroup that exists.
    pub hooks: usize,
    /// The cgroup that is hooked, where its directory was found.
    pub cgroup: Option<PathBuf>,
    /// What is not as this release makes it, and what could not be read.
    pub findings: Vec<String>,
    /// What writers of frozen maps may do; 0: everything.
    pub phase: Option<u64>,
    /// Since the agent beat last; none: it never did.
    pub heartbeat_age_ms: Option<u64>,
    /// Enrolled pods.
    pub pods: Vec<PodView>,
    /// How often what happened in the live generation.
    pub counters: Vec<(&'static str, u64)>,
}

impl DataPath {
    /// Reads pins and maps; what cannot be read is a finding.
    pub fn look(directories: &Directories) -> Self {
        let pins = directories.pins();
        let mut seen = Self::default();
        match Inventory::read(&pins) {
            Ok(inventory) if inventory.is_empty() => {}
            Ok(inventory) => seen.look_at(&pins, &inventory, directories.cgroup.as_deref()),
            Err(error) => {
                seen.stands = true;
                seen.findings.push(error.to_string());
            }
        }
        seen
    }

    fn look_at(&mut self, pins: &PinDir, inventory: &Inventory, named: Option<&Path>) {
        self.stands = true;
        self.generation = inventory.live;
        self.hooks = inventory.links.values().filter(|link| link.info.cgroup_id != 0).count();
        self.look_at_hooks(pins, inventory, named);
        if let Err(error) = self.look_at_maps(pins) {
            self.findings.push(error.to_string());
        }
        let live = inventory.live.and_then(|number| Some((number, inventory.generations.get(&number)?)));
        if let Some((number, generation)) = live {
            match TablesView::counters(pins, number, generation) {
                Ok(counters) => self.counters = counters,
                Err(error) => self.findings.push(error.to_string()),
            }
        }
    }

    fn look_at_hooks(&mut self, pins: &PinDir, inventory: &Inventory, named: Option<&Path>) {
        match hooked(inventory, named) {
            Ok(cgroup) => {
                self.findings.extend(verify(pins, inventory, &cgroup).iter().map(ToString::to_string));
                self.cgroup = Some(cgroup.path).filter(|path| !path.as_os_str().is_empty());
            }
            Err(error) => self.findings.push(error.to_string()),
        }
    }

    fn look_at_maps(&mut self, pins: &PinDir) -> Result<(), Failure> {
        let control = Control::open(pins)?;
        self.phase = Some(control.phase()?);
        self.heartbeat_age_ms = age_ms(control.heartbeat_ns()?);
        self.pods = listed(&Enrolment::open(pins)?)?;
        Ok(())
    }
}

/// The cgroup that was named, or the one that most hooks are attached to.
fn hooked(inventory: &Inventory, named: Option<&Path>) -> Result<Cgroup, Failure> {
    if named.is_some() {
        return Ok(host::cgroup(named)?);
    }
    let ids: Vec<u64> =
        inventory.links.values().map(|link| link.info.cgroup_id).filter(|&id| id != 0).collect();
    let most = ids.iter().copied().max_by_key(|id| ids.iter().filter(|other| *other == id).count());
    match (most, host::cgroup2_mount()?) {
        (Some(id), Some(mount)) => Ok(Cgroup { path: directory_of(id, &mount).unwrap_or_default(), id }),
        (Some(id), None) => Ok(Cgroup { path: PathBuf::new(), id }),
        (None, _) => Ok(host::cgroup(None)?),
    }
}

/// A cgroup's id is the inode number of its directory.
fn directory_of(id: u64, directory: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    if directory.metadata().ok()?.ino() == id {
        return Some(directory.to_owned());
    }
    let children = directory.read_dir().ok()?.flatten();
    let mut directories = children.filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.find_map(|child| directory_of(id, &child.path()))
}

/// Of a moment of `CLOCK_BOOTTIME`; 0: it never was.
fn age_ms(moment_ns: u64) -> Option<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    let now_ns = u64::try_from(std::time::Duration::from(now).as_nanos()).ok()?;
    (moment_ns != 0).then(|| now_ns.saturating_sub(moment_ns) / 1_000_000)
}

/// How many hooks there should be.
pub const HOOKS: usize = Hook::ALL.len();
