use super::*;

fn declared() -> Declared {
    Declared { renamed: vec![("flags".into(), "marks".into())], ..Declared::default() }
}

fn field(record: &Record, name: &str) -> usize {
    record.fields.iter().position(|field| field.name == name).unwrap()
}

/// `endpoints` of another release: renamed, moved, widened, narrowed, added and removed.
fn other() -> Description {
    let mut other = Table::Endpoints.description();
    let value = &mut other.value;
    let at = field(value, "flags");
    value.fields[at].name = "marks".into();
    let at = field(value, "workload");
    value.fields[at].size = 4;
    let at = field(value, "service");
    value.fields[at] = Field { name: "service".into(), offset: 32, size: 8, kind: FieldKind::Unsigned };
    let at = field(value, "port");
    value.fields.remove(at);
    value.fields.push(Field { name: "zone".into(), offset: 40, size: 8, kind: FieldKind::Unsigned });
    value.size = 48;
    other
}

#[test]
fn each_field_says_what_became_of_it() {
    let difference = Difference::between(&Table::Endpoints.description(), &other(), &declared());
    let said: Vec<_> = difference
        .value
        .iter()
        .map(|field| {
            let named = field.after.as_ref().or(field.before.as_ref()).unwrap();
            (named.name.as_str(), field.changes.clone())
        })
        .collect();
    assert_eq!(
        said,
        [
            ("address", vec![]),
            ("marks", vec![Change::Renamed]),
            ("service", vec![Change::Moved, Change::Widened]),
            ("workload", vec![Change::Narrowed]),
            ("zone", vec![Change::Added]),
            ("port", vec![Change::Removed]),
        ]
    );
    assert!(!difference.is_none());
}

#[test]
fn a_map_says_what_differs_as_a_whole() {
    let before = Description { max_entries: Some(1024), ..Table::Frontends.description() };
    let mut after = Description { max_entries: Some(2048), revision: 2, flags: 1, ..before.clone() };
    after.kind = MapKind::LruHash;
    after.key.fields.swap(0, 1);
    let changes = Difference::between(&before, &after, &Declared::default()).map;
    assert_eq!(
        changes,
        [
            MapChange::Kind { from: MapKind::Hash, to: MapKind::LruHash },
            MapChange::Flags { from: 0, to: 1 },
            MapChange::Resized { from: 1024, to: 2048 },
            MapChange::Meaning { from: 1, to: 2 },
            MapChange::Key,
        ]
    );
}

#[test]
fn the_same_layout_differs_in_nothing_and_is_carried_in_its_own_way() {
    for table in Table::ALL {
        let own = table.description();
        assert!(Difference::between(&own, &own, &table.declared()).is_none(), "{table}");
        let expected = match table {
            Table::Turns | Table::Counters => Carried::CountedAnew,
            table if Table::FROZEN.contains(&table) => Carried::Shared,
            _ => Carried::Rebuilt,
        };
        assert_eq!(Carried::of(table, &own, &own, &table.declared()), expected, "{table}");
    }
}

/// A field that takes a part of the reserve, as all releases may add one.
fn grown(table: Table) -> Description {
    let mut grown = table.description();
    let at = field(&grown.value, "reserve");
    let reserve = &mut grown.value.fields[at];
    let new = Field { name: "new".into(), offset: reserve.offset, size: 8, kind: FieldKind::Unsigned };
    (reserve.offset, reserve.size) = (reserve.offset + 8, reserve.size - 8);
    grown.value.fields.push(new);
    grown
}

#[test]
fn a_frozen_map_is_shared_while_new_fields_stand_in_its_reserve() {
    for table in [Table::Enrolled, Table::Origins, Table::UdpOrigins] {
        let (own, grown) = (table.description(), grown(table));
        for (before, after) in [(&own, &grown), (&grown, &own)] {
            assert_eq!(Carried::of(table, before, after, &table.declared()), Carried::Shared, "{table}");
        }
    }
}

#[test]
fn a_frozen_map_of_another_size_is_migrated_unless_it_says_who_may_write() {
    let larger = |table: Table| {
        let mut larger = table.description();
        let end = larger.value.size;
        let new = Field { name: "new".into(), offset: end, size: 8, kind: FieldKind::Unsigned };
        larger.value.fields.push(new);
        larger.value.size += 8;
        larger
    };
    for table in Table::BROUGHT {
        let carried = Carried::of(table, &table.description(), &larger(table), &table.declared());
        assert_eq!(carried, Carried::Migrated, "{table}");
    }
    let back =
        Carried::of(Table::Enrolled, &larger(Table::Enrolled), &Table::Enrolled.description(), &declared());
    assert_eq!(back, Carried::Migrated);
    let table = Table::Control;
    let carried = Carried::of(table, &table.description(), &larger(table), &table.declared());
    assert!(matches!(carried, Carried::Refused { .. }), "{carried:?}");
    let narrowed = Carried::of(Table::Origins, &other(), &Table::Endpoints.description(), &declared());
    assert!(matches!(narrowed, Carried::Refused { .. }), "{narrowed:?}");
}

#[test]
fn a_table_that_cannot_be_read_is_made_anew_without_ids() {
    let table = Table::Endpoints;
    let (own, other) = (table.description(), other());
    let carried = Carried::of(table, &own, &other, &declared());
    let reason = "field workload: narrowed from 8 to 4 bytes".to_owned();
    assert_eq!(carried, Carried::RebuiltWithoutIds { reason });
    let back = Carried::of(table, &other, &own, &declared());
    assert_eq!(back, Carried::RebuiltWithoutIds { reason: "field port: not there".into() });
}

#[test]
fn what_is_made_anew_from_the_model_may_be_narrower() {
    let table = Table::ServiceMeta;
    let (own, mut narrow) = (table.description(), table.description());
    let at = field(&narrow.value, "port");
    narrow.value.fields[at].size = 1;
    assert_eq!(Carried::of(table, &own, &narrow, &declared()), Carried::Rebuilt);
}
