//! Readers of lists and maps, made of readers of their parts.

use std::collections::{BTreeMap, HashMap};

use super::{
    path::Path,
    report::Report,
    value::refuse_kind,
    yaml::{Entry, Node, Value},
};

/// A list of what `read` reads; nothing when one of the items is wrong.
pub(super) fn list_of<T>(
    read: impl Fn(&Node<'_>, &Path<'_>, &mut Report) -> Option<T>,
) -> impl Fn(&Node<'_>, &Path<'_>, &mut Report) -> Option<Vec<T>> {
    move |node, path, report| {
        let Value::List(items) = &node.value else { return refuse_kind(node, "a list", path, report) };
        let read_item = |(index, item)| read(item, &Path::Item(path, index), report);
        let read: Vec<_> = items.iter().enumerate().filter_map(read_item).collect();
        (read.len() == items.len()).then_some(read)
    }
}

/// A map from what `key` reads to what `value` reads; nothing when one of the entries is wrong.
pub(super) fn map_of<K: Ord, V>(
    key: impl Fn(&Node<'_>, &Path<'_>, &mut Report) -> Option<K>,
    value: impl Fn(&Node<'_>, &Path<'_>, &mut Report) -> Option<V>,
) -> impl Fn(&Node<'_>, &Path<'_>, &mut Report) -> Option<BTreeMap<K, V>> {
    move |node, path, report| {
        let entries = entries(node, path, report)?;
        let read_entry = |entry: &Entry<'_>| {
            let path = Path::Field(path, entry.key.scalar().unwrap_or_default());
            let (key, value) = (key(&entry.key, &path, report), value(&entry.value, &path, report));
            key.zip(value)
        };
        let read: BTreeMap<_, _> = entries.iter().filter_map(read_entry).collect();
        (read.len() == entries.len()).then_some(read)
    }
}

/// The entries of a map; every key is a scalar, and each stands there once.
pub(super) fn entries<'a>(
    node: &'a Node<'a>,
    path: &Path<'_>,
    report: &mut Report,
) -> Option<&'a [Entry<'a>]> {
    let Value::Map(entries) = &node.value else { return refuse_kind(node, "a map", path, report) };
    let mut lines = HashMap::with_capacity(entries.len());
    for Entry { key, .. } in entries {
        let Some(name) = key.scalar() else {
            let reason = format!("a key of this map is {}: write text", key.kind());
            return report.refuse(key.line, path, reason);
        };
        if let Some(first) = lines.insert(name, key.line) {
            let reason = format!("stands here twice, first in line {first}: remove one of the two");
            report.refuse::<()>(key.line, &Path::Field(path, name), reason);
        }
    }
    Some(entries)
}
