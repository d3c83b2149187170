use std::{collections::BTreeMap, fmt, io, os::fd::AsFd as _};

use super::{Declared, Description, Field, Kernel, Translation};
use crate::{
    GenerationPins, MapPin, Table,
    sys::{Element, ReadMapping, WriteMapping},
};

/// How this release reads and writes the tables of a generation. Those of its own layout it reads as they are; of another
/// one, field by field, by name.
#[derive(Clone, Debug, Default)]
pub struct Ways(BTreeMap<Table, Way>);

/// To and from a table of another layout.
#[derive(Clone, Debug)]
struct Way {
    /// From the table; the error says why not.
    read: Result<Translation, String>,
    /// To the table.
    write: Result<Translation, String>,
}

impl Ways {
    /// Tables that hold what a start needs to know, if they are to be read at all.
    const READ: [Table; 5] =
        [Table::Frontends, Table::Services, Table::ServiceMeta, Table::Slots, Table::Endpoints];
    /// Tables of this release's layouts, which the caller knows.
    pub fn own() -> Self {
        Self::default()
    }

    /// Asks the kernel for the layouts of a generation's tables. Where it does not tell, they are of this release if their
    /// bytes are.
    pub fn to(generation: &GenerationPins) -> Self {
        let (mut kernel, mut ways) = (Kernel::default(), BTreeMap::new());
        for (&table, pin) in &generation.tables {
            let own = table.description();
            let way = match kernel.describe_table(generation, table, pin) {
                Ok(theirs) if theirs.is_like(&own) => None,
                Ok(theirs) => {
                    let declared = table.declared();
                    let read = rebuilding(table, &theirs, &own, &declared);
                    Some(Way { read, write: rebuilding(table, &own, &theirs, &declared) })
                }
                Err(_) if pin.info.layout.has_bytes_of(&own.layout()) => None,
                Err(error) => Some(Way { read: Err(error.to_string()), write: Err(error.to_string()) }),
            };
            ways.extend(way.map(|way| (table, way)));
        }
        Self(ways)
    }

    /// Whether every table is of this release's layout.
    pub fn are_own(&self) -> bool {
        self.0.is_empty()
    }

    /// The tables that are not.
    pub fn others(&self) -> impl Iterator<Item = Table> {
        self.0.keys().copied()
    }

    /// Whether that table is of this release's layout.
    pub fn is_own(&self, table: Table) -> bool {
        !self.0.contains_key(&table)
    }

    /// Why the tables cannot be read, if they cannot.
    pub fn unreadable(&self) -> Option<String> {
        let mut unreadable = Self::READ.into_iter().filter_map(|table| Some((table, self.0.get(&table)?)));
        unreadable.find_map(|(table, way)| Some(format!("{table}: {}", way.read.as_ref().err()?)))
    }

    /// From keys and values of a table of another layout; none: it is of this release's.
    pub fn from_table(&self, table: Table) -> io::Result<Option<&Translation>> {
        self.0.get(&table).map(|way| way.read.as_ref().map_err(|why| other_layout(why))).transpose()
    }

    /// A table, to be read.
    pub fn read<T: Element>(&self, table: Table, pin: &MapPin) -> io::Result<ReadMapping<T>> {
        match self.from_table(table)? {
            None => ReadMapping::new(pin.fd.as_fd(), pin.info.max_entries),
            Some(way) => ReadMapping::translated(pin.fd.as_fd(), pin.info.max_entries, way.value.clone()),
        }
    }

    /// A table, to be written.
    pub fn write<T: Element>(&self, table: Table, pin: &MapPin) -> io::Result<WriteMapping<T>> {
        match self.0.get(&table).map(|way| way.write.as_ref().map_err(|why| other_layout(why))).transpose()? {
            None => WriteMapping::new(pin.fd.as_fd(), pin.info.max_entries),
            Some(way) => WriteMapping::translated(pin.fd.as_fd(), pin.info.max_entries, way.value.clone()),
        }
    }
}

/// Fields that keep ids where they are, and flows on their way.
const NEEDED: [(Table, &str); 5] = [
    (Table::ServiceMeta, "digest"),
    (Table::Endpoints, "address"),
    (Table::Endpoints, "port"),
    (Table::Endpoints, "service"),
    (Table::Endpoints, "workload"),
];

/// From one generation's table to another's. Whatever else it holds is made anew from the model: it may lose what does not
/// fit, and keys may become one.
pub(super) fn rebuilding(
    table: Table,
    from: &Description,
    to: &Description,
    declared: &Declared,
) -> Result<Translation, String> {
    let needed = |field: &Field| {
        let is = |(of, name): &(Table, &str)| *of == table && declared.are_one(&field.name, name);
        field.name.is_empty() || NEEDED.iter().any(is)
    };
    let before = &from.value.fields;
    let missing =
        |field: &&Field| needed(field) && !before.iter().any(|it| declared.are_one(&it.name, &field.name));
    if let Some(field) = to.value.fields.iter().find(missing) {
        return Err(format!("field {}: not there", field.name));
    }
    let lossy = to.value.fields.iter().filter(|field| !needed(field)).map(|field| field.name.clone());
    let declared = Declared { merged: true, lossy: lossy.collect(), ..declared.clone() };
    Translation::between(from, to, &declared).map_err(|error| error.to_string())
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.others().map(Table::name).collect();
        f.write_str(&names.join(", "))
    }
}

fn other_layout(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("it is of another layout ({why})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::FieldKind;

    fn without(table: Table, name: &str) -> Description {
        let mut other = table.description();
        other.value.fields.retain(|field| field.name != name);
        other
    }

    fn way(table: Table, from: &Description, to: &Description) -> Result<Translation, String> {
        rebuilding(table, from, to, &table.declared())
    }

    #[test]
    fn what_keeps_ids_has_to_be_there() {
        for (table, field) in NEEDED {
            let (own, other) = (table.description(), without(table, field));
            assert_eq!(way(table, &other, &own).unwrap_err(), format!("field {field}: not there"));
            assert!(way(table, &own, &other).is_ok());
        }
    }

    #[test]
    fn what_else_there_is_may_be_gone() {
        for (table, field) in [(Table::ServiceMeta, "port"), (Table::Endpoints, "flags")] {
            assert!(way(table, &without(table, field), &table.description()).is_ok());
        }
    }

    #[test]
    fn words_of_another_meaning_or_size_are_not_read() {
        for table in [Table::Services, Table::Slots, Table::Frontends] {
            let own = table.description();
            let raised = Description { revision: own.revision + 1, ..own.clone() };
            assert!(way(table, &raised, &own).is_err(), "{table}");
            let mut large = own.clone();
            (large.value.size, large.value.fields[0].size) = (16, 16);
            assert!(way(table, &large, &own).is_err(), "{table}");
        }
    }

    #[test]
    fn keys_may_lose_what_is_not_known() {
        let (own, mut other) = (Table::Frontends.description(), Table::Frontends.description());
        let network = Field { name: "network".into(), offset: 20, size: 4, kind: FieldKind::Unsigned };
        other.key.fields.push(network);
        other.key.size = 24;
        assert!(way(Table::Frontends, &other, &own).is_ok());
        assert!(Translation::between(&other, &own, &Declared::default()).is_err());
    }
}
