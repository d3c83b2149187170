use std::{io, mem::offset_of, os::fd::AsFd, panic::resume_unwind, thread};

use evermesh_abi::{Endpoint, FrontendKey, ServiceMeta};
use evermesh_pins::{
    MapPin, Table,
    layout::Ways,
    sys::{self, WriteMapping},
};

use super::Store;

/// The one way into the tables. A writable mapping is made only when there is something to write.
#[derive(Debug)]
pub struct TableWriter {
    maps: Maps,
    mapped: Option<Mapped>,
}

/// Why a store was not performed. The tables stand between the old and the new state, where every
/// destination means one or the other; adopt them anew.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A table could not be written to.
    #[error("cannot write to the table `{table}`: {source}")]
    Table {
        /// Which.
        table: Table,
        /// Why.
        source: io::Error,
    },
    /// Running programs could not be waited for.
    #[error("cannot wait for running programs to end: {0}")]
    Barrier(#[source] io::Error),
}

#[derive(Debug)]
struct Maps {
    frontends: MapPin,
    services: MapPin,
    service_meta: MapPin,
    slots: MapPin,
    endpoints: MapPin,
    ways: Ways,
}

#[derive(Debug)]
struct Mapped {
    services: WriteMapping<u64>,
    service_meta: WriteMapping<ServiceMeta>,
    slots: WriteMapping<u64>,
    endpoints: WriteMapping<Endpoint>,
}

impl TableWriter {
    /// Writes to the tables that `pin` gives, which are of this release's layouts.
    pub fn new<'a>(pin: impl Fn(Table) -> Option<&'a MapPin>) -> Result<Self, WriteError> {
        Self::in_ways(pin, Ways::own())
    }

    /// Writes to the tables that `pin` gives, in these ways.
    pub fn in_ways<'a>(pin: impl Fn(Table) -> Option<&'a MapPin>, ways: Ways) -> Result<Self, WriteError> {
        let open = |table| {
            let missing = || WriteError::Table { table, source: io::ErrorKind::NotFound.into() };
            let pin = pin(table).ok_or_else(missing)?;
            let fd = pin.fd.try_clone().map_err(|source| WriteError::Table { table, source })?;
            Ok(MapPin { fd, info: pin.info })
        };
        let maps = Maps {
            frontends: open(Table::Frontends)?,
            services: open(Table::Services)?,
            service_meta: open(Table::ServiceMeta)?,
            slots: open(Table::Slots)?,
            endpoints: open(Table::Endpoints)?,
            ways,
        };
        Ok(Self { maps, mapped: None })
    }

    /// Whether keys can be set and deleted. Where they are of another layout, nobody but the programs knows the fingerprints
    /// that belong to them.
    pub fn sets_keys(&self) -> bool {
        self.maps.ways.is_own(Table::Frontends)
    }

    /// Performs stores in order; returns how many there were.
    pub fn execute(&mut self, stores: &[Store]) -> Result<u64, WriteError> {
        if stores.is_empty() {
            return Ok(0);
        }
        let mapped = match self.mapped.take() {
            Some(mapped) => mapped,
            None => Mapped::new(&self.maps)?,
        };
        let mapped = self.mapped.insert(mapped);
        for run in stores.chunk_by(together) {
            match run {
                [store] => perform(&self.maps, mapped, store)?,
                run => set_frontends(&self.maps, run)?,
            }
        }
        Ok(stores.len() as u64)
    }
}

/// Whether it does not matter which of the two is performed first, nor when the other is: keys that follow each other are
/// set together, and marks of known addresses, which wait for the keys, are too.
fn together(one: &Store, next: &Store) -> bool {
    frontend(one).zip(frontend(next)).is_some_and(|((one, _), (next, _))| one.is_mark() == next.is_mark())
}

fn frontend(store: &Store) -> Option<(FrontendKey, u64)> {
    match *store {
        Store::SetFrontend { key, value } => Some((key, value.0)),
        _ => None,
    }
}

/// From so many on, half of the frontends are worth a thread.
const WORTH_A_THREAD: usize = 8192;

/// By a system call for all of them, or by two: at the same time, where a thread is to be had.
fn set_frontends(maps: &Maps, run: &[Store]) -> Result<(), WriteError> {
    let set =
        |part: &[Store]| sys::map_update_all(maps.frontends.fd.as_fd(), part.iter().filter_map(frontend));
    let set_both = |(one, other): (&[Store], &[Store])| {
        thread::scope(|scope| {
            let setting = thread::Builder::new().spawn_scoped(scope, || set(one));
            let other = set(other);
            match setting {
                Ok(setting) => setting.join().unwrap_or_else(|panic| resume_unwind(panic)).and(other),
                Err(_) => set(one).and(other),
            }
        })
    };
    let done = if run.len() < WORTH_A_THREAD { set(run) } else { set_both(run.split_at(run.len() / 2)) };
    done.map_err(|source| WriteError::Table { table: Table::Frontends, source })
}

impl Mapped {
    fn new(maps: &Maps) -> Result<Self, WriteError> {
        Ok(Self {
            services: writable(maps, Table::Services, &maps.services)?,
            service_meta: writable(maps, Table::ServiceMeta, &maps.service_meta)?,
            slots: writable(maps, Table::Slots, &maps.slots)?,
            endpoints: writable(maps, Table::Endpoints, &maps.endpoints)?,
        })
    }
}

fn writable<T: sys::Element>(maps: &Maps, table: Table, pin: &MapPin) -> Result<WriteMapping<T>, WriteError> {
    maps.ways.write(table, pin).map_err(|source| WriteError::Table { table, source })
}

fn perform(maps: &Maps, mapped: &Mapped, store: &Store) -> Result<(), WriteError> {
    let frontends = |result: io::Result<()>| {
        result.map_err(|source| WriteError::Table { table: Table::Frontends, source })
    };
    let inside = |table, stored: bool| {
        let beyond = || WriteError::Table { table, source: io::ErrorKind::InvalidInput.into() };
        stored.then_some(()).ok_or_else(beyond)
    };
    match *store {
        Store::ServiceMeta { id, meta } => inside(Table::ServiceMeta, mapped.service_meta.set(id, meta)),
        Store::Endpoint { id, record } => inside(Table::Endpoints, mapped.endpoints.set(id, record)),
        Store::RetireEndpoint { id } => {
            inside(Table::Endpoints, mapped.endpoints.set_u32(id, offset_of!(Endpoint, service), 0))
        }
        Store::Slot { slot, endpoint } => inside(Table::Slots, mapped.slots.set(slot, endpoint.into())),
        Store::Service { id, word } => inside(Table::Services, mapped.services.set(id, word.0)),
        Store::SetFrontend { key, value } => {
            frontends(sys::map_update(maps.frontends.fd.as_fd(), &key, &value.0))
        }
        Store::RemoveFrontend { key } => {
            frontends(sys::map_delete(maps.frontends.fd.as_fd(), &key).map(drop))
        }
        Store::Barrier => sys::wait_for_programs().map_err(WriteError::Barrier),
    }
}
