use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use evermesh_abi::control::{PHASE, PHASE_STEADY};

use crate::{
    BridgeEnd, Finding, Hook, Manifest, ManifestError, PinDir, Table,
    sys::{self, LinkInfo, MapInfo, Object, ProgramInfo},
};

/// Everything that stands in the pin directory, as plain data with open descriptors.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Maps that all generations share.
    pub frozen: BTreeMap<Table, MapPin>,
    /// What attaches programs.
    pub links: BTreeMap<Hook, LinkPin>,
    /// By number.
    pub generations: BTreeMap<u32, GenerationPins>,
    /// The generation that `live` names.
    pub live: Option<u32>,
    /// What writers of `enrolled` may do now, by `control`; steady where there is none.
    pub phase: u64,
    /// What was recognised as not ours while reading.
    pub oddities: Vec<Finding>,
}

/// One generation's directory.
#[derive(Debug, Default)]
pub struct GenerationPins {
    /// `None`: it was never finished.
    pub manifest: Option<Manifest>,
    /// Its tables.
    pub tables: BTreeMap<Table, MapPin>,
    /// Its programs.
    pub programs: BTreeMap<Hook, ProgramPin>,
    /// Maps that are to take the place of frozen ones.
    pub carried: BTreeMap<Table, MapPin>,
    /// Programs that know both.
    pub bridge: BTreeMap<(BridgeEnd, Hook), ProgramPin>,
}

/// A pinned map.
#[derive(Debug)]
pub struct MapPin {
    /// The open map.
    pub fd: OwnedFd,
    /// What the kernel tells about it.
    pub info: MapInfo,
}

/// A pinned program.
#[derive(Debug)]
pub struct ProgramPin {
    /// The open program.
    pub fd: OwnedFd,
    /// What the kernel tells about it.
    pub info: ProgramInfo,
}

/// A pinned link.
#[derive(Debug)]
pub struct LinkPin {
    /// The open link.
    pub fd: OwnedFd,
    /// What the kernel tells about it.
    pub info: LinkInfo,
}

impl LinkPin {
    /// It is attached to a cgroup that exists.
    pub fn hooks(&self) -> bool {
        self.info.cgroup_id != 0
    }
}

/// Why the pin directory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A directory or pin could not be read.
    #[error("cannot {step} {}: {source}", path.display())]
    Read {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A generation's manifest is not readable.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl Inventory {
    /// Reads all pins. A directory that does not exist is an empty one.
    pub fn read(pins: &PinDir) -> Result<Self, InventoryError> {
        let mut inventory = Self { live: live(pins)?, ..Self::default() };
        note_others(pins.root(), &PinDir::IN_ROOT, &mut inventory.oddities)?;
        inventory.frozen = maps(&pins.frozen(), &Table::FROZEN, &mut inventory.oddities)?;
        inventory.phase = phase(pins, inventory.frozen.get(&Table::Control))?;
        for (name, path) in entries(&pins.links())? {
            inventory.read_link(&name, path)?;
        }
        for (name, path) in entries(&pins.generations())? {
            match PinDir::generation_of_name(&name) {
                Some(number) => inventory.read_generation(pins, number)?,
                None => inventory.oddities.push(Finding::foreign(path)),
            }
        }
        Ok(inventory)
    }

    /// Whether nothing of Evermesh stands here.
    pub fn is_empty(&self) -> bool {
        self.frozen.is_empty() && self.links.is_empty() && self.generations.is_empty() && self.live.is_none()
    }

    /// The generations whose programs links attach, by number: traffic obeys their tables. One, but while links are switched. `live`
    /// names another one while that is on trial.
    pub fn obeyed(&self) -> impl Iterator<Item = (u32, &GenerationPins)> {
        let attached = |(hook, link): (&Hook, &LinkPin), generation: &GenerationPins| {
            link.hooks() && generation.programs_of(*hook).any(|pin| pin.info.id == link.info.program_id)
        };
        let generations = self.generations.iter().map(|(&number, pins)| (number, pins));
        generations.filter(move |(_, pins)| self.links.iter().any(|link| attached(link, pins)))
    }

    fn read_link(&mut self, name: &str, path: PathBuf) -> Result<(), InventoryError> {
        let Some(hook) = Hook::by_name(name) else {
            self.oddities.push(Finding::foreign(path));
            return Ok(());
        };
        match open(&path)? {
            Object::Link(fd) => {
                let info = sys::link_info(fd.as_fd()).map_err(read("ask the kernel about", &path))?;
                self.links.insert(hook, LinkPin { fd, info });
            }
            found => self.oddities.push(Finding::kind(path, "link", &found)),
        }
        Ok(())
    }

    fn read_generation(&mut self, pins: &PinDir, number: u32) -> Result<(), InventoryError> {
        let generation = GenerationPins::read_noting(pins, number, &mut self.oddities)?;
        self.generations.insert(number, generation);
        Ok(())
    }
}

impl GenerationPins {
    /// Reads what stands in a generation's directory and is of the expected kind.
    pub fn read(pins: &PinDir, number: u32) -> Result<Self, InventoryError> {
        Self::read_noting(pins, number, &mut Vec::new())
    }

    /// Every program that it has for a hook: its own, and those that lead to it.
    pub fn programs_of(&self, hook: Hook) -> impl Iterator<Item = &ProgramPin> {
        let bridge = BridgeEnd::ALL.into_iter().filter_map(move |end| self.bridge.get(&(end, hook)));
        self.programs.get(&hook).into_iter().chain(bridge)
    }

    fn read_noting(pins: &PinDir, number: u32, oddities: &mut Vec<Finding>) -> Result<Self, InventoryError> {
        let mut generation = Self::default();
        note_others(&pins.generation(number), &PinDir::IN_GENERATION, oddities)?;
        note_others(&pins.bridge(number), &BridgeEnd::ALL.map(BridgeEnd::name), oddities)?;
        let path = pins.manifest(number);
        if path.exists() {
            match open(&path)? {
                Object::Map(fd) => generation.manifest = Some(Manifest::read(fd, &path)?),
                found => oddities.push(Finding::kind(path, "map", &found)),
            }
        }
        generation.tables = maps(&pins.tables(number), &Table::OF_GENERATION, oddities)?;
        generation.programs = programs(&pins.programs(number), oddities)?;
        generation.carried = maps(&pins.carried(number), &Table::BROUGHT, oddities)?;
        for end in BridgeEnd::ALL {
            let programs = programs(&pins.bridge_end(number, end), oddities)?;
            generation.bridge.extend(programs.into_iter().map(|(hook, pin)| ((end, hook), pin)));
        }
        Ok(generation)
    }
}

/// Nothing is read from what is no `control`.
fn phase(pins: &PinDir, control: Option<&MapPin>) -> Result<u64, InventoryError> {
    let ours = |pin: &&MapPin| pin.info.layout.has_bytes_of(&Table::Control.layout());
    let Some(pin) = control.filter(ours) else { return Ok(PHASE_STEADY) };
    let word = sys::map_lookup::<u32, u64>(pin.fd.as_fd(), &PHASE);
    let path = pins.frozen_map(Table::Control);
    Ok(word.map_err(read("read the phase from", &path))?.unwrap_or(PHASE_STEADY))
}

/// Whatever has another name than these.
fn note_others(
    directory: &Path,
    expected: &[&str],
    oddities: &mut Vec<Finding>,
) -> Result<(), InventoryError> {
    let others = entries(directory)?.into_iter().filter(|(name, _)| !expected.contains(&name.as_str()));
    oddities.extend(others.map(|(_, path)| Finding::foreign(path)));
    Ok(())
}

/// The maps in a directory that holds these.
fn maps(
    directory: &Path,
    expected: &[Table],
    oddities: &mut Vec<Finding>,
) -> Result<BTreeMap<Table, MapPin>, InventoryError> {
    let mut maps = BTreeMap::new();
    for (name, path) in entries(directory)? {
        let Some(&table) = expected.iter().find(|table| table.name() == name) else {
            oddities.push(Finding::foreign(path));
            continue;
        };
        match open(&path)? {
            Object::Map(fd) => drop(maps.insert(table, map_pin(fd, &path)?)),
            found => oddities.push(Finding::kind(path, "map", &found)),
        }
    }
    Ok(maps)
}

/// The programs in a directory that holds one for each hook.
fn programs(
    directory: &Path,
    oddities: &mut Vec<Finding>,
) -> Result<BTreeMap<Hook, ProgramPin>, InventoryError> {
    let mut programs = BTreeMap::new();
    for (name, path) in entries(directory)? {
        let Some(hook) = Hook::by_name(&name) else {
            oddities.push(Finding::foreign(path));
            continue;
        };
        match open(&path)? {
            Object::Program(fd) => {
                let info = sys::program_info(fd.as_fd()).map_err(read("ask the kernel about", &path))?;
                programs.insert(hook, ProgramPin { fd, info });
            }
            found => oddities.push(Finding::kind(path, "program", &found)),
        }
    }
    Ok(programs)
}

fn live(pins: &PinDir) -> Result<Option<u32>, InventoryError> {
    match fs::read_link(pins.live()) {
        Ok(target) => Ok(PinDir::generation_of_target(&target)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(InventoryError::Read { step: "follow", path: pins.live(), source }),
    }
}

fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>, InventoryError> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(read("list", directory)(e)),
    };
    listing
        .map(|entry| {
            let entry = entry.map_err(read("list", directory))?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
        })
        .collect()
}

fn open(path: &Path) -> Result<Object, InventoryError> {
    sys::object_get(path).map_err(read("open the pin", path))
}

fn map_pin(fd: OwnedFd, path: &Path) -> Result<MapPin, InventoryError> {
    let info = sys::map_info(fd.as_fd()).map_err(read("ask the kernel about", path))?;
    Ok(MapPin { fd, info })
}

fn read(step: &'static str, path: &Path) -> impl Fn(io::Error) -> InventoryError {
    move |source| InventoryError::Read { step, path: path.to_owned(), source }
}
