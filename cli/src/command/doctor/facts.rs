use std::{collections::BTreeSet, path::PathBuf};

use evermesh_loader::TableSizes;
use evermesh_pins::{
    Finding, Hook, Table,
    probe::{Capability, Footprint, HostMemory, PodOutside, Seat},
};

/// What was seen, or why it could not be looked at.
pub type Seen<T> = Result<T, String>;

/// What can be found out about this kernel and host, nothing of it judged.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The effective user.
    pub uid: u32,
    /// `uname -r`.
    pub release: Seen<String>,
    /// Whether the kernel describes its own types.
    pub btf: bool,
    /// Whether programs are compiled to machine code.
    pub jits: Seen<bool>,
    /// Options of the kernel that sockets are destroyed with, and whether it was built with them.
    pub destroying: Vec<(&'static str, Seen<bool>)>,
    /// Maps of the kind and flags of each table.
    pub maps: Vec<(Table, Trial)>,
    /// Programs of the kind of each hook.
    pub programs: Vec<(Hook, Trial)>,
    /// What is effective in this process.
    pub capabilities: Seen<Vec<Capability>>,
    /// The pin directory.
    pub pins: PathBuf,
    /// Whether that lies in a bpffs.
    pub bpffs: Seen<bool>,
    /// Whether anything of Evermesh is pinned there.
    pub stands: Seen<bool>,
    /// What is wrong with what is pinned.
    pub findings: Seen<Vec<Finding>>,
    /// The cgroup that is hooked, or would be.
    pub cgroup: Seen<Hooked>,
    /// Where controllers of cgroup version 1 are mounted.
    pub cgroup1: Seen<Vec<PathBuf>>,
    /// How large the tables are to be.
    pub sizes: TableSizes,
    /// Every table.
    pub tables: Vec<TableFacts>,
    /// Memory of the host.
    pub memory: Seen<HostMemory>,
    /// Bytes that this process may lock in memory; none: no limit.
    pub memlock: Seen<Option<u64>>,
    /// The programs at our hooks.
    pub seats: Seen<Vec<Seat>>,
    /// Ids of the programs that are pinned.
    pub own_programs: BTreeSet<u32>,
    /// Enrolled pods, and those with processes that the hooks do not cover.
    pub pods: Seen<Pods>,
    /// What the agent's silence leads to; none: nothing stands.
    pub lease: Seen<Option<Lease>>,
}

/// How long the agent may be silent, and how long it has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// 0: for ever.
    pub ms: u64,
    pub heartbeat_age_ms: u64,
}

impl Lease {
    pub fn is_over(self) -> bool {
        self.ms != 0 && self.heartbeat_age_ms > self.ms
    }
}

/// What came of making something only to see whether it can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It was made.
    Made,
    /// The kernel said that this process may not.
    Forbidden,
    /// The kernel cannot, or will not; what it said.
    Refused(String),
}

/// The cgroup that is hooked, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooked {
    /// Its directory.
    pub path: PathBuf,
    /// Whether it is the root of the hierarchy.
    pub is_root: bool,
    /// Whether programs of ours are attached to it.
    pub stands: bool,
}

/// A table as it would be made and as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFacts {
    pub table: Table,
    pub entries: u32,
    pub footprint: Footprint,
    pub standing: Option<Standing>,
}

/// A table that is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub entries: u32,
    /// What the kernel says that it takes; none: it does not say.
    pub bytes: Option<u64>,
}

/// Enrolled pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    pub enrolled: usize,
    pub outside: Vec<PodOutside>,
}
