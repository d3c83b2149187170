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
use evermesh_pins::{
    GenerationPins, Hook, HookEntry, InventoryError, Manifest, ManifestError, MapPin, PinDir, ProgramPin,
    Table, TableEntry, sys,
};

use crate::{Misfit, Object, TableSizes};

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
    for path in [pins.frozen(), pins.links(), pins.tables(generation), pins.programs(generation)] {
        fs::create_dir_all(&path).map_err(|source| BuildError::Directory { path, source })?;
    }
    Ok(())
}

/// Maps of these sizes. Frozen maps are taken from their pins, or made and pinned where there are none; without a
/// directory they are new ones too, of nobody else.
pub fn maps(pins: Option<&PinDir>, object: &Object, sizes: TableSizes) -> Result<Ebpf, BuildError> {
    object.fits()?;
    let mut loader = EbpfLoader::new();
    for (pins, table) in pins.into_iter().flat_map(|pins| Table::FROZEN.map(|table| (pins, table))) {
        loader.map_pin_path(table.symbol(), pins.frozen_map(table));
    }
    for table in Table::OF_GENERATION {
        loader.map_max_entries(table.symbol(), sizes.entries(table));
    }
    loader.load(object.bytes()).map_err(|source| BuildError::Object { source })
}

/// The pin of a table.
pub fn pin_table(pins: &PinDir, generation: u32, object: &Ebpf, table: Table) -> Result<(), BuildError> {
    let map = object.map(table.symbol()).ok_or(BuildError::Part { name: table.symbol() })?;
    let path = pins.table(generation, table);
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
pub fn pin_program(pins: &PinDir, generation: u32, object: &Ebpf, hook: Hook) -> Result<(), BuildError> {
    let path = pins.program(generation, hook);
    sys::object_pin(program(object, hook)?, &path).map_err(|source| BuildError::Pin { path, source })
}

/// A program that was loaded.
pub fn program(object: &Ebpf, hook: Hook) -> Result<BorrowedFd<'_>, BuildError> {
    let program = object.program(hook.name()).ok_or(BuildError::Part { name: hook.name() })?;
    let fd = program.fd().map_err(|source| BuildError::Program { hook, source: Box::new(source) })?;
    Ok(fd.as_fd())
}

/// A map that was made.
pub fn map(object: &Ebpf, table: Table) -> Result<BorrowedFd<'_>, BuildError> {
    match object.map(table.symbol()) {
        Some(Map::Array(map) | Map::HashMap(map) | Map::LruHashMap(map) | Map::PerCpuArray(map)) => {
            Ok(map.fd().as_fd())
        }
        _ => Err(BuildError::Part { name: table.symbol() }),
    }
}

/// What a complete generation consists of, written last.
pub fn manifest(pins: &PinDir, object: &Object, generation: u32) -> Result<(), BuildError> {
    let built = GenerationPins::read(pins, generation)?;
    let table = |(&table, pin): (&Table, &MapPin)| {
        let (id, max_entries) = (pin.info.id, pin.info.max_entries);
        (table, TableEntry { id, layout: table.layout().hash(), max_entries })
    };
    let hook = |(&hook, pin): (&Hook, &ProgramPin)| (hook, HookEntry { id: pin.info.id, tag: pin.info.tag });
    let manifest = Manifest {
        generation,
        object: object.digest(),
        tables: built.tables.iter().map(table).collect(),
        hooks: built.programs.iter().map(hook).collect(),
    };
    Ok(manifest.write(&pins.manifest(generation))?)
}
