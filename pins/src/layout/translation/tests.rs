use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::subsequence};

use super::*;
use crate::Table;

fn map(key: Record, value: Record) -> Description {
    Description { kind: MapKind::Hash, flags: 0, max_entries: None, revision: 1, key, value }
}

/// Fields of these names and bytes, one after the other.
fn numbers(fields: &[(&str, u32)]) -> Record {
    let mut record = Record::default();
    for &(name, size) in fields {
        let field = Field { name: name.to_owned(), offset: record.size, size, kind: FieldKind::Unsigned };
        record.size = field.end();
        record.fields.push(field);
    }
    record
}

fn between(from: &[(&str, u32)], to: &[(&str, u32)], declared: &Declared) -> Result<Copies, Untranslatable> {
    let word = Record::word(8);
    Translation::between(&map(word.clone(), numbers(from)), &map(word, numbers(to)), declared)
        .map(|it| it.value)
}

fn applied(copies: &Copies, from: &[u8]) -> Vec<u8> {
    let mut to = vec![0xee; copies.to];
    assert!(copies.apply(from, &mut to));
    to
}

#[test]
fn fields_move_and_new_ones_are_zero() {
    let copies =
        between(&[("a", 2), ("b", 4)], &[("b", 4), ("c", 1), ("a", 2)], &Declared::default()).unwrap();
    assert_eq!(applied(&copies, &[1, 2, 3, 4, 5, 6]), [3, 4, 5, 6, 0, 1, 2]);
}

#[test]
fn a_number_gets_more_room_behind_its_low_bytes() {
    let copies = between(&[("a", 2)], &[("a", 4)], &Declared::default()).unwrap();
    assert_eq!(applied(&copies, &0x1234u16.to_le_bytes()), 0x1234u32.to_le_bytes());
}

#[test]
fn what_would_not_fit_is_refused_unless_its_loss_is_declared() {
    let refused = between(&[("a", 8)], &[("a", 4)], &Declared::default()).unwrap_err();
    assert_eq!(refused.to_string(), "field a: narrowed from 8 to 4 bytes");
    let lossy = Declared { lossy: vec!["a".into()], ..Declared::default() };
    assert_eq!(
        applied(&between(&[("a", 8)], &[("a", 4)], &lossy).unwrap(), &[1, 2, 3, 4, 5, 6, 7, 8]),
        [1, 2, 3, 4]
    );
}

#[test]
fn a_record_that_has_something_where_there_is_no_room_is_told() {
    let (from, to) = (numbers(&[("a", 4), ("b", 2)]), numbers(&[("b", 2), ("a", 2)]));
    let [from, to] = [from, to].map(|value| map(Record::word(8), value));
    let narrowing = |from, to| Translation::narrowing(from, to, &Declared::default()).unwrap().value;
    let copies = narrowing(&from, &to);
    assert_eq!(applied(&copies, &[1, 2, 0, 0, 5, 6]), [5, 6, 1, 2]);
    assert_eq!([[1, 2, 0, 0, 5, 6], [1, 2, 3, 0, 5, 6]].map(|record| copies.cuts(&record)), [false, true]);
    assert!(!narrowing(&to, &from).cuts(&[255; 4]));
    let name = |size| {
        let kind = FieldKind::Numbers(1);
        let fields = vec![Field { name: "name".into(), offset: 0, size, kind }];
        map(Record::word(8), Record { size, fields })
    };
    let shorter = narrowing(&name(4), &name(3));
    assert_eq!([b"abc\0", b"abcd"].map(|record| shorter.cuts(record)), [false, true]);
}

#[test]
fn a_renamed_field_is_carried_over_in_both_directions() {
    let renamed = Declared { renamed: vec![("old".into(), "new".into())], ..Declared::default() };
    for (from, to) in [("old", "new"), ("new", "old")] {
        let copies = between(&[(from, 2), ("b", 1)], &[("b", 1), (to, 2)], &renamed).unwrap();
        assert_eq!(applied(&copies, &[1, 2, 3]), [3, 1, 2]);
    }
    let unknown = between(&[("old", 2)], &[("new", 2)], &Declared::default()).unwrap();
    assert_eq!(applied(&unknown, &[1, 2]), [0, 0]);
}

#[test]
fn numbers_in_a_row_are_widened_one_by_one() {
    let row = |element, count| Record {
        size: element * count,
        fields: vec![Field {
            name: "row".into(),
            offset: 0,
            size: element * count,
            kind: FieldKind::Numbers(element),
        }],
    };
    let word = Record::word(8);
    let between = |from, to| {
        Translation::between(&map(word.clone(), from), &map(word.clone(), to), &Declared::default())
    };
    let copies = between(row(1, 3), row(2, 4)).unwrap().value;
    assert_eq!(applied(&copies, &[1, 2, 3]), [1, 0, 2, 0, 3, 0, 0, 0]);
    let error = between(row(4, 4), row(1, 16)).unwrap_err();
    assert_eq!(error.to_string(), "field row: another kind of field");
}

#[test]
fn keys_never_become_one() {
    let value = Record::word(8);
    let keys = |from: &[(&str, u32)], to: &[(&str, u32)]| {
        let lossy = Declared { lossy: vec!["a".into()], ..Declared::default() };
        Translation::between(&map(numbers(from), value.clone()), &map(numbers(to), value.clone()), &lossy)
    };
    let gone = keys(&[("a", 4), ("b", 4)], &[("a", 4)]).unwrap_err();
    assert_eq!(gone.to_string(), "the key's field b: gone, so several entries would become one");
    assert!(keys(&[("a", 4)], &[("a", 2)]).is_err());
    let merged = Declared { merged: true, ..Declared::default() };
    let [two, one] =
        [numbers(&[("a", 4), ("b", 4)]), numbers(&[("a", 4)])].map(|key| map(key, value.clone()));
    assert!(Translation::between(&two, &one, &merged).is_ok());
    assert!(keys(&[("a", 4)], &[("b", 1), ("a", 4)]).is_ok());
}

#[test]
fn another_meaning_and_another_kind_of_map_are_refused() {
    let before = map(Record::word(4), Record::word(8));
    let raised = Description { revision: 2, ..before.clone() };
    let error = Translation::between(&before, &raised, &Declared::default()).unwrap_err();
    assert_eq!(error, Untranslatable::Meaning { from: 1, to: 2 });
    let unknown = Description { revision: 0, ..before.clone() };
    assert!(Translation::between(&unknown, &raised, &Declared::default()).unwrap().is_identity());
    let array = Description { kind: MapKind::Array, ..before.clone() };
    assert!(Translation::between(&before, &array, &Declared::default()).is_err());
    let lru = Description { kind: MapKind::LruHash, ..before.clone() };
    assert!(Translation::between(&before, &lru, &Declared::default()).is_ok());
}

#[test]
fn entries_of_another_size_are_not_touched() {
    let copies = between(&[("a", 2)], &[("a", 4)], &Declared::default()).unwrap();
    let mut to = [7; 4];
    assert!(!copies.apply(&[1], &mut to) && !copies.apply(&[1, 2], &mut to[..3]));
    assert_eq!(to, [7; 4]);
}

#[test]
fn every_table_is_translated_into_itself_byte_for_byte() {
    for table in Table::ALL {
        let own = table.description();
        let translation = Translation::between(&own, &own, &table.declared()).unwrap();
        assert!(translation.is_identity(), "{table}");
    }
}

/// Names of which releases of one structure take some, each in its own order and sizes.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "pad"];

fn record() -> impl Strategy<Value = Record> {
    let named = subsequence(NAMES.to_vec(), 1..=NAMES.len()).prop_shuffle();
    (named, vec(0u32..4, NAMES.len())).prop_map(|(names, sizes)| {
        let fields: Vec<_> = names.into_iter().zip(sizes.into_iter().map(|size| 1 << size)).collect();
        numbers(&fields)
    })
}

/// What the fields say, without those that say nothing.
fn said(record: &Record, bytes: &[u8]) -> BTreeMap<String, u64> {
    let number = |field: &Field| {
        let mut word = [0; 8];
        word[..field.size as usize].copy_from_slice(&bytes[field.offset as usize..field.end() as usize]);
        u64::from_le_bytes(word)
    };
    let fields = record.fields.iter().filter(|field| !field.is_filler());
    fields.map(|field| (field.name.clone(), number(field))).collect()
}

proptest! {
    /// What both layouts know stays, what is new is zero, and so is what holds nothing.
    #[test]
    fn what_both_know_is_said_again(from in record(), to in record(), noise in vec(any::<u8>(), 64)) {
        let (from, to) = (map(Record::word(8), from), map(Record::word(8), to));
        let bytes = &noise[..from.value.size as usize];
        let narrow = to.value.fields.iter().find(|after| {
            let before = from.value.field(&after.name);
            !after.is_filler() && before.is_some_and(|before| before.size > after.size)
        });
        match Translation::between(&from, &to, &Declared::default()) {
            Err(refused) => {
                prop_assert!(narrow.is_some(), "{refused}");
            }
            Ok(translation) => {
                prop_assert_eq!(narrow, None);
                let made = applied(&translation.value, bytes);
                let (before, after) = (said(&from.value, bytes), said(&to.value, &made));
                for (name, value) in &after {
                    prop_assert_eq!(*value, before.get(name).copied().unwrap_or(0), "{}", name);
                }
                for filler in to.value.fields.iter().filter(|field| field.is_filler()) {
                    let bytes = &made[filler.offset as usize..filler.end() as usize];
                    prop_assert!(bytes.iter().all(|byte| *byte == 0));
                }
            }
        }
    }

    /// Where nothing was refused on the way there, and nothing is on the way back, what both know is what it was.
    #[test]
    fn there_and_back_is_what_it_was(from in record(), to in record(), noise in vec(any::<u8>(), 64)) {
        let (from, to) = (map(Record::word(8), from), map(Record::word(8), to));
        let ways = |a, b| Translation::between(a, b, &Declared::default());
        if let (Ok(there), Ok(back)) = (ways(&from, &to), ways(&to, &from)) {
            let bytes = &noise[..from.value.size as usize];
            let again = applied(&back.value, &applied(&there.value, bytes));
            let both = |(name, _): &(String, u64)| to.value.field(name).is_some();
            let before: Vec<_> = said(&from.value, bytes).into_iter().filter(both).collect();
            let after: Vec<_> = said(&from.value, &again).into_iter().filter(both).collect();
            prop_assert_eq!(before, after);
        }
    }
}
