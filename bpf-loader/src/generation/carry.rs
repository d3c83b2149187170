//! What the steps do that give a frozen map's place to another one.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use aya::{Ebpf, EbpfLoader};
use evermesh_pins::{
    BridgeEnd, EnrolmentError, FrozenMap, PinDir, PodMap, Table,
    layout::{Description, Kernel},
    sys::{self, Object as Pinned, RawMap},
};

use super::{BuildError, Direction, make};
use crate::{
    Object,
    migration::{self, Fields},
    tally::Counts,
};

/// Why a frozen map was not carried over. The one in use is whole.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {source}", path.display())]
pub struct CarryError {
    step: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Programs over the frozen maps in use, those that are to take their place, and the generation's tables.
pub fn bridge(
    pins: &PinDir,
    object: &Object,
    direction: Direction,
    generation: u32,
    end: BridgeEnd,
) -> Result<Ebpf, BuildError> {
    make::directory(pins.bridge_end(generation, end))?;
    let mut loader = EbpfLoader::new();
    for table in Table::OF_GENERATION {
        loader.map_pin_path(table.symbol(), pins.table(generation, table));
    }
    for table in Table::FROZEN {
        let [in_use, brought] = direction.bridged(end, table);
        loader.map_pin_path(in_use, pins.frozen_map(table));
        if Table::CARRIED.contains(&table) {
            loader.map_pin_path(brought, pins.carried_map(generation, table));
        }
    }
    // Its programs know this release's layout of `enrolled`: the one that is brought, if one is, but on the way down.
    let enrolled = pins.carried_map(generation, Table::Enrolled);
    if direction != Direction::Down && enrolled.exists() {
        loader.map_pin_path(Table::Enrolled.symbol(), enrolled);
    }
    make::load(&mut loader, object, direction.bridge(end))
}

/// Gives the map its place. Whoever has the one before open keeps it; nobody finds it any more.
pub fn replace(pins: &PinDir, generation: u32, table: Table) -> Result<(), CarryError> {
    let path = pins.carried_map(generation, table);
    fs::rename(&path, pins.frozen_map(table)).map_err(failed("give its place to", &path))?;
    // The last one leaves an empty directory, which says nothing and goes with its generation.
    let _not_empty = fs::remove_dir(pins.carried(generation));
    Ok(())
}

/// Has the map that is brought say what the one in use says, field by field. Whoever writes them meanwhile is of the bridge.
pub fn sweep(pins: &PinDir, direction: Direction, generation: u32, table: Table) -> Result<(), CarryError> {
    let paths = [pins.frozen_map(table), pins.carried_map(generation, table)];
    let layouts = direction.layouts(table);
    let way = if direction == Direction::Down { Fields::down } else { Fields::between };
    let fields = way(&layouts[0], &layouts[1], &table.declared());
    let fields = fields.map_err(|why| failed("fill", &paths[1])(io::Error::other(why)))?;
    let [from, to] = [open(&paths[0])?, open(&paths[1])?];
    for ((path, map), layout) in paths.iter().zip([&from, &to]).zip(&layouts) {
        has_layout(table, map, layout).map_err(failed("sweep", path))?;
    }
    migration::sweep(from.as_fd(), to.as_fd(), &fields).map(drop).map_err(failed("fill", &paths[1]))
}

/// What a map says of itself, where it was made with types, against what its entries are taken for.
fn has_layout(table: Table, map: &OwnedFd, layout: &Description) -> io::Result<()> {
    let info = sys::map_info(map.as_fd())?;
    let other = |what| io::Error::other(format!("it is of another layout: {what}"));
    Kernel::default().is_shared_with(table, &info, layout).map_err(other)
}

/// Has the `enrolled` that is brought say what the one in use says. Whoever writes that waits.
pub fn pods(pins: &PinDir, generation: u32) -> Result<(), EnrolmentError> {
    let in_use = PodMap::open(&pins.frozen_map(Table::Enrolled))?;
    PodMap::open(&pins.carried_map(generation, Table::Enrolled))?.fill_from(&in_use)
}

/// How many elements of a frozen map are in use.
pub fn used(map: &FrozenMap) -> Result<u64, CarryError> {
    let counted = RawMap::new(map.fd.as_fd()).and_then(|elements| elements.count());
    counted.map_err(failed("count what stands in", &map.path))
}

/// What is lost with the frozen map in use, of whatever layout. It is told once: the kernel gives no other map its id.
pub fn lost(pins: &PinDir, table: Table) -> Result<Counts, CarryError> {
    let path = pins.frozen_map(table);
    let map = open(&path)?;
    let id = sys::map_info(map.as_fd()).map(|info| info.id);
    let counted = id.and_then(|id| Ok((id, RawMap::new(map.as_fd())?.count()?)));
    let (map, entries) = counted.map_err(failed("count what stands in", &path))?;
    Ok(Counts { map, counts: vec![(format!("lost_{table}"), entries)] })
}

fn open(path: &Path) -> Result<OwnedFd, CarryError> {
    match sys::object_get(path).map_err(failed("open", path))? {
        Pinned::Map(fd) => Ok(fd),
        other => Err(failed("open", path)(io::Error::other(format!("a {}", other.kind())))),
    }
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CarryError {
    move |source| CarryError { step, path: path.to_owned(), source }
}
