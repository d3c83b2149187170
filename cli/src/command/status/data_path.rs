use std::path::{Path, PathBuf};

use evermesh_abi::Counter;
use evermesh_loader::tally::{Counts, TallyError, TallyFile};
use evermesh_pins::{Control, Enrolment, Hook, Inventory, PinDir, probe::PodOutside, verify};

use crate::{Failure, args::Directories, command::pod::PodView, heartbeat, hooked};

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
    /// How old that may grow before new flows are left alone; none: for ever.
    pub lease_ms: Option<u64>,
    /// Enrolled pods.
    pub pods: Vec<PodView>,
    /// Enrolled pods with processes that the hooks do not cover.
    pub pods_outside: Vec<PodOutside>,
    /// How often what happened since the first generation was made.
    pub counters: Vec<(String, u64)>,
}

impl DataPath {
    /// Reads pins and maps; what cannot be read is a finding.
    pub fn look(directories: &Directories) -> Self {
        let pins = directories.pins();
        let mut seen = Self::default();
        match Inventory::read(&pins) {
            Ok(inventory) if inventory.is_empty() => {}
            Ok(inventory) => seen.look_at(&pins, &inventory, directories),
            Err(error) => {
                seen.stands = true;
                seen.findings.push(error.to_string());
            }
        }
        seen
    }

    fn look_at(&mut self, pins: &PinDir, inventory: &Inventory, directories: &Directories) {
        self.stands = true;
        self.generation = inventory.live;
        self.hooks = inventory.links.values().filter(|link| link.hooks()).count();
        self.look_at_hooks(pins, inventory, directories.cgroup.as_deref());
        if let Err(error) = self.look_at_maps(pins) {
            self.findings.push(error.to_string());
        }
        self.look_at_counters(pins, inventory, &directories.state_dir);
    }

    fn look_at_hooks(&mut self, pins: &PinDir, inventory: &Inventory, named: Option<&Path>) {
        match hooked::cgroup(inventory, named) {
            Ok(cgroup) => {
                self.findings.extend(verify(pins, inventory, &cgroup).iter().map(ToString::to_string));
                self.cgroup = Some(cgroup.path).filter(|path| !path.as_os_str().is_empty());
            }
            Err(error) => self.findings.push(error.to_string()),
        }
    }

    /// What stands is read before the tally: a generation that is left meanwhile is then found in one of both.
    fn look_at_counters(&mut self, pins: &PinDir, inventory: &Inventory, state_dir: &Path) {
        let (standing, failed) = Counts::standing(pins, inventory);
        self.findings.extend(failed.iter().map(ToString::to_string));
        let tally = TallyFile::read(state_dir);
        self.findings.extend(tally.as_ref().err().map(TallyError::in_full));
        let mut sums = tally.unwrap_or_default().with(&standing);
        let known = Counter::ALL.into_iter().filter_map(|(_, name)| sums.remove_entry(name));
        self.counters = known.collect();
        self.counters.extend(sums);
    }

    fn look_at_maps(&mut self, pins: &PinDir) -> Result<(), Failure> {
        let control = Control::open(pins)?;
        self.phase = Some(control.phase()?);
        self.heartbeat_age_ms = heartbeat::age_ms(control.heartbeat_ns()?);
        self.lease_ms = Some(control.lease_ns()? / 1_000_000).filter(|&lease| lease != 0);
        let pods = Enrolment::open(pins)?.list()?;
        let outside = self.cgroup.as_deref().map(|cgroup| hooked::pods_outside(cgroup, &pods));
        self.pods = pods.into_iter().map(PodView::from).collect();
        self.pods_outside = outside.transpose()?.flatten().unwrap_or_default();
        Ok(())
    }
}

impl DataPath {
    /// Whether the agent has been silent for so long that new flows are left alone.
    pub fn lease_is_over(&self) -> bool {
        self.lease_ms.is_some_and(|lease| self.heartbeat_age_ms.is_none_or(|age| age > lease))
    }
}

/// How many hooks there should be.
pub const HOOKS: usize = Hook::ALL.len();
