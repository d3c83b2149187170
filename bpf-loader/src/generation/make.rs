//! What the steps that make a generation do.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::Map,
    programs::{Program, ProgramError},
};
use evermesh_abi::Counter;
use evermesh_pins::{
    GenerationPins, Hook, HookEntry, InventoryError, Manifest, ManifestError, MapPin, PinDir, ProgramPin,
    Table, TableEntry, sys,
};

use super::Direction;
use crate::{Misfit, Object, Part, TableSizes};

/// Why a generation was not made. What was made of it is unfinished and is removed by the next start; what
/// was live stays.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A directory could not be made.
    #[error("cannot make {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The object was built with other types.
    #[error("the eBPF object is not of this release: {0}")]
    Misfit(#[from] Misfit),
    /// The kernel did not take the object's maps.
    #[error("cannot make the maps of the eBPF object: {source}")]
    Object {
        /// Why.
        source: EbpfError,
    },
    /// The kernel did not take a program; the verifier's words are in the source.
    #[error("the kernel refused the program {hook}: {source}")]
    Program {
        /// Which.
        hook: Hook,
        /// Why.
        source: Box<ProgramError>,
    },
    /// There is no such object.
    #[error(
        "frozen maps cannot be carried over: these kernel programs come without `{}`; build all of them, or keep the sizes",
        part.file()
    )]
    Missing {
        /// Which.
        part: Part,
    },
    /// The object lacks a program or map: it was built from other sources.
    #[error("the eBPF object has no `{name}` of the expected kind")]
    Part {
        /// Its name.
        name: &'static str,
    },
    /// A pin could not be made.
    #[error("cannot pin {}: {source}", path.display())]
    Pin {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was pinned could not be read back.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The manifest could not be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// The directories of a generation, and those that all share.
pub fn room(pins: &PinDir, generation: u32) -> Result<(), BuildError> {
    let shared = [pins.frozen(), pins.links()];
    shared.into_iter().chain([pins.tables(generation), pins.programs(generation)]).try_for_each(directory)
}

/// A directory, and those above it.
pub fn directory(path: PathBuf) -> Result<(), BuildError> {
    fs::create_dir_all(&path).map_err(|source| BuildError::Directory { path, source })
}

/// Maps of these sizes. Frozen maps are taken from their pins, or made and pinned where there are none; those that are
/// `carried` are new ones without a pin. Without a directory all are new ones, of nobody else.
pub fn maps(
    pins: Option<&PinDir>,
    object: &Object,
    direction: Direction,
    sizes: TableSizes,
    carried: &[Table],
) -> Result<Ebpf, BuildError> {
    object.fits()?;
    let mut loader = EbpfLoader::new();
    let shared = Table::FROZEN.into_iter().filter(|table| !carried.contains(table));
    for (pins, table) in pins.into_iter().flat_map(|pins| shared.clone().map(move |table| (pins, table))) {
        loader.map_pin_path(direction.map(table), pins.frozen_map(table));
    }
    for table in Table::OF_GENERATION.into_iter().chain(Table::BROUGHT) {
        loader.map_max_entries(direction.map(table), sizes.entries(table));
    }
    load(&mut loader, object, direction.programs())
}

/// Makes the maps of a part.
pub fn load(loader: &mut EbpfLoader<'_>, object: &Object, part: Part) -> Result<Ebpf, BuildError> {
    let bytes = object.part(part).ok_or(BuildError::Missing { part })?;
    loader.load(bytes).map_err(|source| BuildError::Object { source })
}

/// The pin of a table.
pub fn pin_table(object: &Ebpf, name: &'static str, path: PathBuf) -> Result<(), BuildError> {
    let map = object.map(name).ok_or(BuildError::Part { name })?;
    map.pin(&path).map_err(|source| BuildError::Pin { path, source: io::Error::other(source) })
}

/// Has the kernel verify a program.
pub fn load_program(object: &mut Ebpf, hook: Hook) -> Result<(), BuildError> {
    let failed = |source| BuildError::Program { hook, source: Box::new(source) };
    match object.program_mut(hook.name()) {
        Some(Program::CgroupSockAddr(program)) => program.load().map_err(failed),
        Some(Program::CgroupSock(program)) => program.load().map_err(failed),
        _ => Err(BuildError::Part { name: hook.name() }),
    }
}

/// The pin of a program.
pub fn pin_program(object: &Ebpf, hook: Hook, path: PathBuf) -> Result<(), BuildError> {
    sys::object_pin(program(object, hook)?, &path).map_err(|source| BuildError::Pin { path, source })
}

/// A program that was loaded.
pub fn program(object: &Ebpf, hook: Hook) -> Result<BorrowedFd<'_>, BuildError> {
    let program = object.program(hook.name()).ok_or(BuildError::Part { name: hook.name() })?;
    let fd = program.fd().map_err(|source| BuildError::Program { hook, source: Box::new(source) })?;
    Ok(fd.as_fd())
}

/// A map that was made.
pub fn map<'a>(object: &'a Ebpf, name: &'static str) -> Result<BorrowedFd<'a>, BuildError> {
    match object.map(name) {
        Some(Map::Array(map) | Map::HashMap(map) | Map::LruHashMap(map) | Map::PerCpuArray(map)) => {
            Ok(map.fd().as_fd())
        }
        _ => Err(BuildError::Part { name }),
    }
}

/// What a complete generation consists of, written last.
pub fn manifest(pins: &PinDir, object: [u8; 32], generation: u32) -> Result<(), BuildError> {
    let built = GenerationPins::read(pins, generation)?;
    let table = |(&table, pin): (&Table, &MapPin)| {
        let (id, max_entries) = (pin.info.id, pin.info.max_entries);
        (table, TableEntry { id, layout: table.layout().hash(), max_entries })
    };
    let hook = |(&hook, pin): (&Hook, &ProgramPin)| (hook, HookEntry { id: pin.info.id, tag: pin.info.tag });
    let manifest = Manifest {
        generation,
        object,
        tables: built.tables.iter().map(table).collect(),
        hooks: built.programs.iter().map(hook).collect(),
        counters: Counter::ALL.map(|(_, name)| name.to_owned()).into(),
    };
    Ok(manifest.write(&pins.manifest(generation))?)
}
