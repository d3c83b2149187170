use std::{io, os::fd::AsFd, path::PathBuf};

use evermesh_abi::{Counter, Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};

use crate::{
    GenerationPins, PinDir, Table,
    sys::{self, ReadMapping, WordArray},
};

/// A generation's tables, mapped read-only.
#[derive(Debug)]
pub struct TablesView {
    services: ReadMapping<u64>,
    service_meta: ReadMapping<ServiceMeta>,
    slots: ReadMapping<u64>,
    endpoints: ReadMapping<Endpoint>,
    /// All elements of `frontends` at the time of opening or of the last [`Self::read_frontends`].
    pub frontends: Vec<FrontendEntry>,
    frontend_limit: u32,
}

/// How many elements the tables of a generation have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntries {
    /// At most so many keys.
    pub frontends: u32,
    /// Service ids below this.
    pub services: u32,
    /// Slots below this.
    pub slots: u32,
    /// Endpoint ids below this.
    pub endpoints: u32,
}

/// An element of `frontends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontendEntry {
    /// What the application asks for.
    pub key: FrontendKey,
    /// The service and the key's fingerprint.
    pub value: FrontendValue,
}

/// Why a generation's tables could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {source}", path.display())]
pub struct ViewError {
    /// What was tried.
    pub step: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl TablesView {
    /// Maps the tables of generation `number`, whose layouts the caller has verified.
    pub fn open(pins: &PinDir, number: u32, generation: &GenerationPins) -> Result<Self, ViewError> {
        let source = Source { pins, number, generation };
        Ok(Self {
            services: source.map(Table::Services)?,
            service_meta: source.map(Table::ServiceMeta)?,
            slots: source.map(Table::Slots)?,
            endpoints: source.map(Table::Endpoints)?,
            frontends: source.frontends()?,
            frontend_limit: source.pin(Table::Frontends)?.info.max_entries,
        })
    }

    /// Reads `frontends` again.
    pub fn read_frontends(
        &mut self,
        pins: &PinDir,
        number: u32,
        generation: &GenerationPins,
    ) -> Result<(), ViewError> {
        self.frontends = Source { pins, number, generation }.frontends()?;
        Ok(())
    }

    /// Which slots a service has; `None` beyond the table.
    pub fn service(&self, id: u32) -> Option<ServiceWord> {
        self.services.get(id).map(ServiceWord)
    }

    /// What changes seldom about a service.
    pub fn service_meta(&self, id: u32) -> Option<ServiceMeta> {
        self.service_meta.get(id)
    }

    /// The endpoint id in a slot, 0 if none.
    pub fn slot(&self, slot: u32) -> Option<u64> {
        self.slots.get(slot)
    }

    /// The record of an endpoint.
    pub fn endpoint(&self, id: u32) -> Option<Endpoint> {
        self.endpoints.get(id)
    }

    /// How many elements each table has.
    pub fn entries(&self) -> TableEntries {
        TableEntries {
            frontends: self.frontend_limit,
            services: self.services.len(),
            slots: self.slots.len(),
            endpoints: self.endpoints.len(),
        }
    }

    /// The sums over all CPUs of the generation's counters, by [`Counter`].
    pub fn counters(
        pins: &PinDir,
        number: u32,
        generation: &GenerationPins,
    ) -> Result<Vec<(&'static str, u64)>, ViewError> {
        Source { pins, number, generation }.counters()
    }
}

struct Source<'a> {
    pins: &'a PinDir,
    number: u32,
    generation: &'a GenerationPins,
}

impl Source<'_> {
    fn pin(&self, table: Table) -> Result<&crate::MapPin, ViewError> {
        let missing = || self.failed("find", table)(io::ErrorKind::NotFound.into());
        self.generation.tables.get(&table).ok_or_else(missing)
    }

    fn map<T: sys::Element>(&self, table: Table) -> Result<ReadMapping<T>, ViewError> {
        let pin = self.pin(table)?;
        ReadMapping::new(pin.fd.as_fd(), pin.info.max_entries).map_err(self.failed("map", table))
    }

    fn frontends(&self) -> Result<Vec<FrontendEntry>, ViewError> {
        let pairs = sys::map_pairs::<FrontendKey, u64>(self.pin(Table::Frontends)?.fd.as_fd())
            .map_err(self.failed("list", Table::Frontends))?;
        Ok(pairs.into_iter().map(|(key, value)| FrontendEntry { key, value: FrontendValue(value) }).collect())
    }

    fn counters(&self) -> Result<Vec<(&'static str, u64)>, ViewError> {
        let failed = self.failed("read", Table::Counters);
        let map = self.pin(Table::Counters)?.fd.try_clone().map_err(&failed)?;
        let words = WordArray::new(map);
        let named = |(counter, name): (Counter, _)| Ok((name, words.sum_per_cpu(counter as u32)?));
        Counter::ALL.into_iter().map(named).collect::<io::Result<_>>().map_err(failed)
    }

    fn failed(&self, step: &'static str, table: Table) -> impl Fn(io::Error) -> ViewError + use<> {
        let path = self.pins.table(self.number, table);
        move |source| ViewError { step, path: path.clone(), source }
    }
}
