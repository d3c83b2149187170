use std::{collections::BTreeSet, fmt::Display, io, path::Path};

use evermesh_pins::{
    Control, Enrolment, GenerationPins, Hook, Inventory, PinDir, Table,
    host::{self, Cgroup, HostError},
    probe::{self, Capability, HostMemory, Seat},
    sys, verify,
};
use nix::{
    sys::resource::{RLIM_INFINITY, Resource, getrlimit},
    unistd::geteuid,
};

use super::{
    facts::{Facts, Hooked, Lease, Pods, Seen, Trial},
    tables,
};
use crate::{
    args::{Directories, Room},
    heartbeat, hooked,
};

/// What sockets are destroyed with when their endpoint is gone.
const DESTROYING: [&str; 2] = ["CONFIG_INET_DIAG_DESTROY", "CONFIG_INET_UDP_DIAG"];

impl Facts {
    /// Looks; makes tiny maps and programs on trial that are gone afterwards, and changes nothing.
    pub fn gather(directories: &Directories, room: Room) -> Self {
        let pins = directories.pins();
        let inventory = Inventory::read(&pins);
        let stands = inventory.as_ref().map(|inventory| !inventory.is_empty()).map_err(ToString::to_string);
        let inventory = inventory.unwrap_or_default();
        let found = hooked::cgroup(&inventory, directories.cgroup.as_deref()).map_err(text);
        let findings = found.as_ref().map(|cgroup| verify(&pins, &inventory, cgroup)).map_err(Clone::clone);
        let cgroup = found.and_then(|cgroup| hooked(&inventory, cgroup));
        let live = inventory.live.and_then(|number| inventory.generations.get(&number));
        let sizes = tables::sizes(room, &inventory.frozen, live);
        Self {
            uid: geteuid().as_raw(),
            release: host::kernel_release().map_err(text),
            btf: probe::has_btf(),
            jits: probe::jits().map_err(text),
            destroying: DESTROYING.map(|option| (option, probe::is_configured(option).map_err(text))).into(),
            maps: Table::ALL
                .into_iter()
                .map(|table| (table, tried(sys::map_trial(&table.layout()))))
                .collect(),
            programs: Hook::ALL.map(|hook| (hook, tried(sys::program_trial(hook)))).into(),
            capabilities: Capability::held().map_err(text),
            pins: pins.root().to_owned(),
            bpffs: bpffs(&pins),
            cgroup1: host::cgroup1_mounts().map_err(text),
            sizes,
            tables: tables::all(sizes, &inventory.frozen, live),
            memory: HostMemory::now().map_err(text),
            memlock: memlock().map_err(text),
            seats: stands.clone().and_then(|_| seats(&cgroup.as_ref().map_err(Clone::clone)?.path)),
            own_programs: own_programs(&inventory),
            pods: stands.clone().and_then(|stands| pods(stands, &pins, &cgroup)),
            findings,
            lease: stands.clone().and_then(|stands| lease(stands, &pins)),
            stands,
            cgroup,
        }
    }
}

fn tried<T>(made: io::Result<T>) -> Trial {
    match made {
        Ok(_) => Trial::Made,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Trial::Forbidden,
        Err(error) => Trial::Refused(error.to_string()),
    }
}

fn bpffs(pins: &PinDir) -> Seen<bool> {
    match host::require_bpffs(pins.root()) {
        Ok(()) => Ok(true),
        Err(HostError::NoBpffs { .. }) => Ok(false),
        Err(error) => Err(text(error)),
    }
}

fn hooked(inventory: &Inventory, cgroup: Cgroup) -> Seen<Hooked> {
    if cgroup.path.as_os_str().is_empty() {
        return Err(format!("no directory has the id {} that the hooks are attached to", cgroup.id));
    }
    let path = cgroup.path.canonicalize().map_err(|error| format!("{}: {error}", cgroup.path.display()))?;
    let from_root = host::cgroup_in_hierarchy(&path).map_err(text)?;
    let stands = inventory.links.values().any(|link| link.info.cgroup_id == cgroup.id);
    Ok(Hooked { is_root: from_root.is_some_and(|path| path == Path::new("/")), path, stands })
}

fn seats(cgroup: &Path) -> Seen<Vec<Seat>> {
    let mount = host::cgroup2_mount().map_err(text)?.unwrap_or_else(|| cgroup.to_owned());
    Seat::all(cgroup, &mount).map_err(text)
}

fn own_programs(inventory: &Inventory) -> BTreeSet<u32> {
    let of_generation = |generation: &GenerationPins| {
        generation.programs.values().map(|program| program.info.id).collect::<Vec<_>>()
    };
    let pinned = inventory.generations.values().flat_map(of_generation);
    pinned.chain(inventory.links.values().map(|link| link.info.program_id)).collect()
}

fn pods(stands: bool, pins: &PinDir, cgroup: &Seen<Hooked>) -> Seen<Pods> {
    if !stands {
        return Ok(Pods::default());
    }
    let cgroup = &cgroup.as_ref().map_err(Clone::clone)?.path;
    let pods = Enrolment::open(pins).and_then(|enrolment| enrolment.list()).map_err(text)?;
    let outside = hooked::pods_outside(cgroup, &pods).map_err(text)?;
    let outside = outside.ok_or("this process sees only a part of the cgroup hierarchy")?;
    Ok(Pods { enrolled: pods.len(), outside })
}

fn memlock() -> io::Result<Option<u64>> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    Ok((soft != RLIM_INFINITY).then_some(soft))
}

fn text(error: impl Display) -> String {
    error.to_string()
}

fn lease(stands: bool, pins: &PinDir) -> Seen<Option<Lease>> {
    if !stands {
        return Ok(None);
    }
    let control = Control::open(pins).map_err(text)?;
    let ms = control.lease_ns().map_err(text)? / 1_000_000;
    let heartbeat_age_ms = heartbeat::age_ms(control.heartbeat_ns().map_err(text)?).unwrap_or(u64::MAX);
    Ok(Some(Lease { ms, heartbeat_age_ms }))
}
