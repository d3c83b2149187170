use std::{collections::BTreeMap, io, os::fd::AsFd, path::PathBuf};

use evermesh_abi::{Counter, Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};

use crate::{
    GenerationPins, MapPin, PinDir, Table,
    layout::{Translation, Ways},
    sys::{self, RawMap, ReadMapping, WordArray},
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
    ways: Ways,
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
    /// Maps the tables of generation `number`, which are of this release's layouts.
    pub fn open(pins: &PinDir, number: u32, generation: &GenerationPins) -> Result<Self, ViewError> {
        Self::in_ways(pins, number, generation, Ways::own())
    }

    /// Maps the tables of generation `number`, which are read in those ways.
    pub fn in_ways(
        pins: &PinDir,
        number: u32,
        generation: &GenerationPins,
        ways: Ways,
    ) -> Result<Self, ViewError> {
        let source = Source { pins, number, generation };
        Ok(Self {
            services: source.map(Table::Services, &ways)?,
            service_meta: source.map(Table::ServiceMeta, &ways)?,
            slots: source.map(Table::Slots, &ways)?,
            endpoints: source.map(Table::Endpoints, &ways)?,
            frontends: source.frontends(&ways)?,
            frontend_limit: source.pin(Table::Frontends)?.info.max_entries,
            ways,
        })
    }

    /// How the tables are read.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// Reads `frontends` again.
    pub fn read_frontends(
        &mut self,
        pins: &PinDir,
        number: u32,
        generation: &GenerationPins,
    ) -> Result<(), ViewError> {
        self.frontends = Self::frontends(pins, number, generation, &self.ways)?;
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

    /// All elements of a generation's `frontends`, and no other table.
    pub fn frontends(
        pins: &PinDir,
        number: u32,
        generation: &GenerationPins,
        ways: &Ways,
    ) -> Result<Vec<FrontendEntry>, ViewError> {
        Source { pins, number, generation }.frontends(ways)
    }

    /// The sums over all CPUs of the generation's counters, under the names that the release has given them that made it.
    pub fn counters(
        pins: &PinDir,
        number: u32,
        generation: &GenerationPins,
    ) -> Result<Vec<(String, u64)>, ViewError> {
        Source { pins, number, generation }.counters()
    }
}

/// Elements of another layout. Their fingerprints are those of other keys: an element is taken for what its key says. Of
/// keys that differ only in what is not known here, one is taken.
fn translated(pin: &MapPin, way: &Translation) -> io::Result<Vec<FrontendEntry>> {
    let mut entries = BTreeMap::new();
    RawMap::new(pin.fd.as_fd())?.for_each(|their_key, their_value| {
        let key: FrontendKey = way.key.read(their_key)?;
        let value = FrontendValue(way.value.read(their_value)?);
        entries.insert(key, FrontendValue::new(value.service(), &key));
        Ok(())
    })?;
    Ok(entries.into_iter().map(|(key, value)| FrontendEntry { key, value }).collect())
}

struct Source<'a> {
    pins: &'a PinDir,
    number: u32,
    generation: &'a GenerationPins,
}

impl Source<'_> {
    fn pin(&self, table: Table) -> Result<&MapPin, ViewError> {
        let missing = || self.failed("find", table)(io::ErrorKind::NotFound.into());
        self.generation.tables.get(&table).ok_or_else(missing)
    }

    fn map<T: sys::Element>(&self, table: Table, ways: &Ways) -> Result<ReadMapping<T>, ViewError> {
        ways.read(table, self.pin(table)?).map_err(self.failed("map", table))
    }

    fn frontends(&self, ways: &Ways) -> Result<Vec<FrontendEntry>, ViewError> {
        let pin = self.pin(Table::Frontends)?;
        let failed = self.failed("list", Table::Frontends);
        match ways.from_table(Table::Frontends).map_err(&failed)? {
            None => {
                let pairs = sys::map_pairs::<FrontendKey, u64>(pin.fd.as_fd()).map_err(failed)?;
                let entry = |(key, value)| FrontendEntry { key, value: FrontendValue(value) };
                Ok(pairs.into_iter().map(entry).collect())
            }
            Some(way) => translated(pin, way).map_err(failed),
        }
    }

    fn counters(&self) -> Result<Vec<(String, u64)>, ViewError> {
        let failed = self.failed("read", Table::Counters);
        let pin = self.pin(Table::Counters)?;
        if !pin.info.layout.has_bytes_of(&Table::Counters.layout()) {
            return Err(failed(io::Error::new(io::ErrorKind::Unsupported, "it is of another layout")));
        }
        let map = pin.fd.try_clone().map_err(&failed)?;
        let words = WordArray::new(map);
        let named = (0..pin.info.max_entries).zip(self.names_of_counters());
        let summed = named.map(|(index, name)| Ok((name, words.sum_per_cpu(index)?)));
        summed.collect::<io::Result<_>>().map_err(failed)
    }

    /// Releases that did not say their names had those that this one knows.
    fn names_of_counters(&self) -> Vec<String> {
        let said = self.generation.manifest.as_ref().map(|manifest| manifest.counters.clone());
        said.filter(|names| !names.is_empty())
            .unwrap_or_else(|| Counter::ALL.map(|(_, name)| name.to_owned()).into())
    }

    fn failed(&self, step: &'static str, table: Table) -> impl Fn(io::Error) -> ViewError + use<> {
        let path = self.pins.table(self.number, table);
        move |source| ViewError { step, path: path.clone(), source }
    }
}
