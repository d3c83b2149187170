use std::{collections::BTreeSet, os::fd::AsFd as _, path::PathBuf};

use crate::{
    GenerationPins, Hook, Inventory, Layout, LinkPin, Manifest, MapPin, PinDir, PodMap, ProgramPin, Table,
    host::Cgroup,
    layout::{Kernel, Unknown},
    sys::{self, Object},
};

/// Something in the pin directory that is not as this release made it. Nothing is changed where one is found:
/// traffic goes on by what stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// What this release has no name for, and what hooks nothing.
    #[error("{}: not a pin of this release, and left alone; remove it if nobody else needs it", path.display())]
    Foreign {
        /// The pin.
        path: PathBuf,
    },
    /// A link that this release has no name for, to a program that is none of its generations'.
    #[error("{}: not a pin of this release, and attaches program id {program}", path.display())]
    ForeignLink {
        /// The pin.
        path: PathBuf,
        /// The program's id.
        program: u32,
    },
    /// A pin that should be another kind of object.
    #[error("{}: expected a {expected}, found a {found}", path.display())]
    Kind {
        /// The pin.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A map of another layout.
    #[error("{}: expected a {expected}; found a {found}", path.display())]
    Layout {
        /// The pin.
        path: PathBuf,
        /// What it should be.
        expected: Layout,
        /// What it is; the revision is not known to the kernel.
        found: Layout,
    },
    /// A map that all generations share, of a layout that is neither this release's nor that of the release before.
    #[error("{}: {unknown}", path.display())]
    Unknown {
        /// The pin.
        path: PathBuf,
        /// Which it is.
        table: Table,
        /// What differs.
        unknown: Unknown,
    },
    /// A map or program that is missing from a finished generation, or a frozen map that is.
    #[error("{}: missing", path.display())]
    Missing {
        /// Where it should stand.
        path: PathBuf,
    },
    /// A pin that is not the object that the manifest recorded.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Identity {
        /// The pin.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A program uses maps that are not pinned beside it.
    #[error("{}: uses map ids {found:?}, of which not all are pinned beside it", path.display())]
    Maps {
        /// The pin.
        path: PathBuf,
        /// The ids it uses.
        found: Vec<u32>,
    },
    /// A link at another attach point than its name says.
    #[error("{}: attached at point {found}, expected {expected}", path.display())]
    AttachPoint {
        /// The pin.
        path: PathBuf,
        /// `enum bpf_attach_type` of the hook.
        expected: u32,
        /// That of the link.
        found: u32,
    },
    /// A link whose cgroup was removed, or that was detached: it hooks nothing. A start makes another one.
    #[error("{}: its cgroup was removed or it was detached, so it hooks nothing", path.display())]
    Detached {
        /// The pin.
        path: PathBuf,
    },
    /// A link to another cgroup.
    #[error("{}: hooks the cgroup with id {found}, not {} (id {})", path.display(), expected.path.display(), expected.id)]
    OtherCgroup {
        /// The pin.
        path: PathBuf,
        /// The cgroup that was asked for.
        expected: Cgroup,
        /// The id of the cgroup that is hooked.
        found: u64,
    },
    /// A link attaches a program of no generation.
    #[error("{}: attaches program id {found}, which belongs to no finished generation", path.display())]
    Program {
        /// The pin.
        path: PathBuf,
        /// The program's id.
        found: u32,
    },
    /// `live` names no finished generation although something is hooked.
    #[error("{}: does not name a finished generation", path.display())]
    Live {
        /// The symbolic link.
        path: PathBuf,
    },
}

impl Finding {
    /// Nothing that a start must leave alone.
    pub fn is_mended_by_a_start(&self) -> bool {
        matches!(self, Self::Detached { .. })
    }

    /// Nothing that decides what becomes of traffic: a start goes on, and says so.
    pub fn is_left_alone(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }

    /// It is that frozen map's layout.
    pub fn is_about(&self, frozen: Table) -> bool {
        matches!(self, Self::Unknown { table, .. } if *table == frozen)
    }

    /// Nothing but what may be lost, if somebody declares that.
    pub fn may_be_lost(&self) -> bool {
        matches!(self, Self::Unknown { table, .. } if table.loss().is_ok())
    }

    /// Where a pin stands that has no name here.
    pub(crate) fn foreign(path: PathBuf) -> Self {
        let link = match sys::object_get(&path) {
            Ok(Object::Link(link)) => sys::link_info(link.as_fd()).ok(),
            Ok(_) | Err(_) => None,
        };
        match link.filter(|info| !info.is_cgroup || info.cgroup_id != 0) {
            Some(info) => Self::ForeignLink { path, program: info.program_id },
            None => Self::Foreign { path },
        }
    }

    pub(crate) fn kind(path: PathBuf, expected: &'static str, found: &Object) -> Self {
        Self::Kind { path, expected, found: found.kind() }
    }
}

/// Everything that is wrong with what stands in `pins`, for an agent that hooks `cgroup`. What an interrupted
/// start leaves behind (missing links, unfinished generations) is not wrong.
pub fn verify(pins: &PinDir, inventory: &Inventory, cgroup: &Cgroup) -> Vec<Finding> {
    let mut findings: Vec<_> =
        inventory.oddities.iter().map(|oddity| known_link(inventory, oddity)).collect();
    findings.extend(verify_live(pins, inventory));
    let mut kernel = Kernel::default();
    let unknown = |(&table, pin): (&Table, &MapPin)| {
        let unknown = kernel.known(table, &pin.info).err()?;
        if is_carried(table, pin) {
            return None;
        }
        Some(Finding::Unknown { path: pins.frozen_map(table), table, unknown })
    };
    findings.extend(inventory.frozen.iter().filter_map(unknown));
    for (&number, generation) in &inventory.generations {
        if let Some(manifest) = &generation.manifest {
            findings.extend(verify_generation(pins, inventory, number, generation, manifest));
        }
    }
    for (&hook, link) in &inventory.links {
        findings.extend(verify_link(pins, inventory, cgroup, hook, link));
    }
    findings
}

/// One more pin of a link that is ours, or of another link to a program that is, leads traffic nowhere else.
fn known_link(inventory: &Inventory, oddity: &Finding) -> Finding {
    match oddity {
        Finding::ForeignLink { path, program } if is_finished(inventory, &Hook::ALL, *program) => {
            Finding::Foreign { path: path.clone() }
        }
        other => other.clone(),
    }
}

/// Whether a finished generation has that program, for one of these hooks.
fn is_finished(inventory: &Inventory, hooks: &[Hook], program: u32) -> bool {
    let mut finished = inventory.generations.values().filter(|generation| generation.manifest.is_some());
    finished.any(|generation| {
        let mut programs = hooks.iter().flat_map(|&hook| generation.programs_of(hook));
        programs.any(|pin| pin.info.id == program)
    })
}

/// Whoever finds `enrolled` in any layout that can be read brings it anew, in the next generation or the first.
fn is_carried(table: Table, pin: &MapPin) -> bool {
    table == Table::Enrolled && PodMap::reads(pin)
}

fn verify_live(pins: &PinDir, inventory: &Inventory) -> Vec<Finding> {
    let finished = |number| inventory.generations.get(number).is_some_and(|g| g.manifest.is_some());
    let names_finished = inventory.live.as_ref().is_some_and(finished);
    let mut findings = Vec::new();
    if !names_finished && inventory.links.values().any(LinkPin::hooks) {
        findings.push(Finding::Live { path: pins.live() });
    }
    if names_finished {
        let missing = Table::FROZEN.into_iter().filter(|table| !inventory.frozen.contains_key(table));
        findings.extend(missing.map(|table| Finding::Missing { path: pins.frozen_map(table) }));
    }
    findings
}

fn verify_generation(
    pins: &PinDir,
    inventory: &Inventory,
    number: u32,
    generation: &GenerationPins,
    manifest: &Manifest,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if manifest.generation != number {
        let (expected, found) =
            (format!("generation {number}"), format!("generation {}", manifest.generation));
        findings.push(Finding::Identity { path: pins.manifest(number), expected, found });
    }
    for table in Table::OF_GENERATION {
        findings.extend(verify_table(pins.table(number, table), table, generation, manifest));
    }
    let maps = [&inventory.frozen, &generation.tables, &generation.carried];
    let known: BTreeSet<u32> = maps.iter().flat_map(|maps| maps.values()).map(|pin| pin.info.id).collect();
    for hook in Hook::ALL {
        findings.extend(verify_program(pins.program(number, hook), hook, generation, manifest, &known));
    }
    for (&(end, hook), pin) in &generation.bridge {
        findings.extend(verify_maps(pins.bridge_program(number, end, hook), pin, &known));
    }
    findings
}

fn verify_table(
    path: PathBuf,
    table: Table,
    generation: &GenerationPins,
    manifest: &Manifest,
) -> Option<Finding> {
    let Some(pin) = generation.tables.get(&table) else { return Some(Finding::Missing { path }) };
    let entry = manifest.tables.get(&table)?;
    let known = entry.revision(&pin.info.layout).map(|revision| Layout { revision, ..pin.info.layout });
    let (expected, found) = (
        (entry.id, entry.layout, entry.max_entries),
        (pin.info.id, known.unwrap_or(pin.info.layout).hash(), pin.info.max_entries),
    );
    let show = |(id, layout, size)| format!("map id {id} of layout {layout:#018x} with {size} entries");
    if expected != found {
        return Some(Finding::Identity { path, expected: show(expected), found: show(found) });
    }
    // Another release's, whose fields the kernel knows, is read by their names.
    if pin.info.types.is_some() { None } else { layout(path, table, pin) }
}

fn verify_program(
    path: PathBuf,
    hook: Hook,
    generation: &GenerationPins,
    manifest: &Manifest,
    known: &BTreeSet<u32>,
) -> Option<Finding> {
    let Some(pin) = generation.programs.get(&hook) else { return Some(Finding::Missing { path }) };
    let entry = manifest.hooks.get(&hook)?;
    if (entry.id, entry.tag) != (pin.info.id, pin.info.tag) {
        let show = |id, tag| format!("program id {id} with tag {tag:016x}");
        let (expected, found) = (show(entry.id, entry.tag), show(pin.info.id, pin.info.tag));
        return Some(Finding::Identity { path, expected, found });
    }
    verify_maps(path, pin, known)
}

fn verify_maps(path: PathBuf, pin: &ProgramPin, known: &BTreeSet<u32>) -> Option<Finding> {
    let maps = &pin.info.map_ids;
    (!maps.iter().all(|id| known.contains(id))).then(|| Finding::Maps { path, found: maps.clone() })
}

fn verify_link(
    pins: &PinDir,
    inventory: &Inventory,
    cgroup: &Cgroup,
    hook: Hook,
    link: &LinkPin,
) -> Option<Finding> {
    let (path, info) = (pins.link(hook), link.info);
    if !info.is_cgroup || info.attach_type != hook.attach_type() {
        return Some(Finding::AttachPoint { path, expected: hook.attach_type(), found: info.attach_type });
    }
    if !link.hooks() {
        return Some(Finding::Detached { path });
    }
    if info.cgroup_id != cgroup.id {
        return Some(Finding::OtherCgroup { path, expected: cgroup.clone(), found: info.cgroup_id });
    }
    let known = is_finished(inventory, &[hook], info.program_id);
    (!known).then_some(Finding::Program { path, found: info.program_id })
}

fn layout(path: PathBuf, table: Table, pin: &MapPin) -> Option<Finding> {
    let (expected, found) = (table.layout(), pin.info.layout);
    (!found.has_bytes_of(&expected)).then_some(Finding::Layout { path, expected, found })
}
