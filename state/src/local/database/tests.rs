use super::*;

fn batch(pairs: &[(&str, Option<&str>)]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(|v| v.as_bytes().to_vec()))).collect()
}

fn texts(entries: &[Entry]) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    entries.iter().map(|(key, value)| (text(key), text(value))).collect()
}

#[test]
fn what_was_written_is_read_in_the_order_of_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    let (mut database, entries) = Database::open(&path).unwrap();
    assert!(entries.is_empty());
    database.write(batch(&[("b", Some("2")), ("a", Some("1")), ("c", Some("3"))])).unwrap();
    database.write(batch(&[("b", Some("4")), ("c", None), ("d", None)])).unwrap();
    drop(database);
    let (_, entries) = Database::open(&path).unwrap();
    assert_eq!(texts(&entries), [("a", "1"), ("b", "4")]);
}

#[test]
fn a_value_that_another_key_had_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    let (mut database, _) = Database::open(&path).unwrap();
    database.write(batch(&[("a", Some("1")), ("b", Some("2"))])).unwrap();
    let of_b = database.db.get(b"rb").unwrap().unwrap();
    database.db.insert(b"ra", of_b).unwrap();
    drop(database);
    assert!(matches!(Database::open(&path), Err(DatabaseError::Damaged { damage: Damage::Checksum, .. })));
}

#[test]
fn a_record_that_is_missing_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    let (mut database, _) = Database::open(&path).unwrap();
    database.write(batch(&[("a", Some("1")), ("b", Some("2"))])).unwrap();
    database.db.remove(b"ra").unwrap();
    drop(database);
    assert!(matches!(Database::open(&path), Err(DatabaseError::Damaged { damage: Damage::Sum, .. })));
}

/// One that a release before or after this one wrote.
fn of_format(path: &Path, format: u32) {
    let (mut database, _) = Database::open(path).unwrap();
    database.write(batch(&[("a", Some("1"))])).unwrap();
    database.db.insert(FORMAT_KEY, format.to_le_bytes().as_slice()).unwrap();
}

/// The same of the file beside it, which may be of any length then.
fn mark_of_format(path: &Path, format: u32) {
    let (mut database, _) = Database::open(path).unwrap();
    database.write(batch(&[("a", Some("1"))])).unwrap();
    drop(database);
    let mark = path.with_added_extension("mark");
    let mut bytes = fs::read(&mark).unwrap();
    bytes[8..12].copy_from_slice(&format.to_le_bytes());
    bytes.extend([7; 9]);
    fs::write(&mark, bytes).unwrap();
}

#[test]
fn another_format_is_refused_by_its_age_and_moved_away_as_it_is() {
    for (make, what) in [(of_format as fn(&Path, u32), "database"), (mark_of_format, "mark")] {
        for (format, age) in [(0, "an older release"), (FORMAT + 1, "a newer release"), (u32::MAX, "a newer")]
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("xds");
            make(&path, format);
            let error = Database::open(&path).unwrap_err();
            assert!(
                matches!(error, DatabaseError::Format { found, .. } if found == format),
                "{what}: {error}"
            );
            assert!(!error.may_pass() && error.to_string().starts_with(age), "{what}: {error}");
            let moved = Database::set_aside(&path).unwrap().unwrap();
            assert!(moved.exists() && !path.exists());
            assert!(Database::open(&path).unwrap().1.is_empty(), "{what}");
            assert!(
                Database::open(&path).unwrap().1.is_empty(),
                "{what}: its mark says nothing of the next one"
            );
        }
    }
}

#[test]
fn what_is_open_is_not_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    let _open = Database::open(&path).unwrap();
    assert!(matches!(Database::open(&path), Err(DatabaseError::Open { .. })));
}
