use std::{collections::BTreeMap, fs, io, os::fd::AsFd, path::PathBuf};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    programs::{Program, ProgramError},
};
use evermesh_pins::{
    GenerationPins, Hook, HookEntry, Inventory, InventoryError, Manifest, ManifestError, PinDir, Table,
    TableEntry,
};

use crate::{
    TableSizes, object,
    tables::{TableWriter, WriteError},
};

/// A generation that is complete but for traffic: maps, programs, contents, manifest.
#[derive(Debug)]
pub struct Built {
    /// Its number.
    pub number: u32,
    /// Its pins.
    pub pins: GenerationPins,
}

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
    /// The tables could not be filled.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The manifest could not be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Makes generation `number`: maps of these sizes, programs over them and over the frozen maps, the contents as `fill`
/// writes them, and last the manifest.
pub fn build<E: From<BuildError>>(
    pins: &PinDir,
    number: u32,
    sizes: TableSizes,
    fill: impl FnOnce(&mut TableWriter) -> Result<(), E>,
) -> Result<Built, E> {
    let mut built = make(pins, number, sizes)?;
    fill(&mut TableWriter::new(|table| built.tables.get(&table)).map_err(BuildError::from)?)?;
    let manifest = manifest(number, &built);
    manifest.write(&pins.manifest(number)).map_err(BuildError::from)?;
    built.manifest = Some(manifest);
    Ok(Built { number, pins: built })
}

fn make(pins: &PinDir, number: u32, sizes: TableSizes) -> Result<GenerationPins, BuildError> {
    for path in [pins.frozen(), pins.links(), pins.tables(number), pins.programs(number)] {
        fs::create_dir_all(&path).map_err(|source| BuildError::Directory { path, source })?;
    }
    let mut object = load_maps(pins, sizes)?;
    pin_tables(pins, number, &object)?;
    for hook in Hook::ALL {
        load_program(&mut object, hook)?;
        pin_program(pins, number, &object, hook)?;
    }
    read_back(pins, number)
}

/// Frozen maps are taken from their pins, or made and pinned where there are none.
fn load_maps(pins: &PinDir, sizes: TableSizes) -> Result<Ebpf, BuildError> {
    let mut loader = EbpfLoader::new();
    for table in Table::FROZEN {
        loader.map_pin_path(table.symbol(), pins.frozen_map(table));
    }
    for table in Table::OF_GENERATION {
        loader.map_max_entries(table.symbol(), sizes.entries(table));
    }
    loader.load(object::bytes()).map_err(|source| BuildError::Object { source })
}

fn pin_tables(pins: &PinDir, number: u32, object: &Ebpf) -> Result<(), BuildError> {
    for table in Table::OF_GENERATION {
        let map = object.map(table.symbol()).ok_or(BuildError::Part { name: table.symbol() })?;
        let path = pins.table(number, table);
        map.pin(&path).map_err(|source| BuildError::Pin { path, source: io::Error::other(source) })?;
    }
    Ok(())
}

fn load_program(object: &mut Ebpf, hook: Hook) -> Result<(), BuildError> {
    let failed = |source| BuildError::Program { hook, source: Box::new(source) };
    match object.program_mut(hook.name()) {
        Some(Program::CgroupSockAddr(program)) => program.load().map_err(failed),
        Some(Program::CgroupSock(program)) => program.load().map_err(failed),
        _ => Err(BuildError::Part { name: hook.name() }),
    }
}

fn pin_program(pins: &PinDir, number: u32, object: &Ebpf, hook: Hook) -> Result<(), BuildError> {
    let path = pins.program(number, hook);
    let program = object.program(hook.name()).ok_or(BuildError::Part { name: hook.name() })?;
    let fd = program.fd().map_err(|source| BuildError::Program { hook, source: Box::new(source) })?;
    evermesh_pins::sys::object_pin(fd.as_fd(), &path).map_err(|source| BuildError::Pin { path, source })
}

fn read_back(pins: &PinDir, number: u32) -> Result<GenerationPins, BuildError> {
    let mut inventory = Inventory::read(pins)?;
    let missing =
        || BuildError::Directory { path: pins.generation(number), source: io::ErrorKind::NotFound.into() };
    inventory.generations.remove(&number).ok_or_else(missing)
}

fn manifest(number: u32, built: &GenerationPins) -> Manifest {
    let table = |(&table, pin): (&Table, &evermesh_pins::MapPin)| {
        let (id, max_entries) = (pin.info.id, pin.info.max_entries);
        (table, TableEntry { id, layout: table.layout().hash(), max_entries })
    };
    let hook = |(&hook, pin): (&Hook, &evermesh_pins::ProgramPin)| {
        (hook, HookEntry { id: pin.info.id, tag: pin.info.tag })
    };
    Manifest {
        generation: number,
        object: object::digest(),
        tables: built.tables.iter().map(table).collect::<BTreeMap<_, _>>(),
        hooks: built.programs.iter().map(hook).collect(),
    }
}
