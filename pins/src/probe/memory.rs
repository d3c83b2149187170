use std::{
    fs, io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use aya_obj::generated::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};

use crate::{Layout, MapKind};

/// Kernel memory that a map takes, in bytes. An estimate, from how Linux 6.1 to 6.18 lay maps out on 64-bit machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// With nothing in it.
    pub empty: u64,
    /// With no room left.
    pub full: u64,
}

/// Bookkeeping beside a hash element's key and value.
const ELEMENT: u64 = 48;
/// A hash's list head and its lock.
const BUCKET: u64 = 16;
const PAGE: u64 = 4096;
const POINTER: u64 = 8;

impl Footprint {
    /// Of a map of that layout and size.
    pub fn of(layout: &Layout, entries: u32, cpus: usize) -> Self {
        let (entries, cpus) = (u64::from(entries), cpus as u64);
        let value = u64::from(layout.value_size).next_multiple_of(8);
        match layout.kind {
            MapKind::Array if layout.flags & BPF_F_MMAPABLE != 0 => {
                Self::fixed((entries * value).next_multiple_of(PAGE))
            }
            MapKind::Array => Self::fixed(entries * value),
            MapKind::PerCpuArray => Self::fixed(entries * (POINTER + value * cpus)),
            _ => Self::of_hash(layout, entries, cpus, value),
        }
    }

    /// Elements are made beforehand, a spare one for each CPU, unless the flags say otherwise.
    fn of_hash(layout: &Layout, entries: u64, cpus: u64, value: u64) -> Self {
        let element = ELEMENT + u64::from(layout.key_size).next_multiple_of(8) + value;
        let buckets = entries.next_power_of_two() * BUCKET;
        let spare = if layout.kind == MapKind::LruHash { 0 } else { cpus };
        match layout.flags & BPF_F_NO_PREALLOC {
            0 => Self::fixed(buckets + (entries + spare) * element),
            _ => Self { empty: buckets, full: buckets + entries * element },
        }
    }

    fn fixed(bytes: u64) -> Self {
        Self { empty: bytes, full: bytes }
    }
}

/// What the kernel says that a map takes, in bytes; before kernel 6.4 an estimate of its own.
pub fn charged(map: BorrowedFd<'_>) -> io::Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.as_raw_fd());
    let text = fs::read_to_string(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    line.and_then(|bytes| bytes.trim().parse().ok())
        .ok_or_else(|| io::Error::other(format!("{path} does not say what the map takes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn of(table: Table, entries: u32) -> Footprint {
        Footprint::of(&table.layout(), entries, 2)
    }

    #[test]
    fn what_is_made_beforehand_takes_the_same_when_empty() {
        for table in [Table::Frontends, Table::Services, Table::Slots, Table::Counters, Table::Origins] {
            let footprint = of(table, 1000);
            assert_eq!(footprint.empty, footprint.full, "{table}");
        }
    }

    #[test]
    fn a_table_that_grows_begins_with_its_buckets() {
        let footprint = of(Table::UdpOrigins, 1000);
        assert_eq!(footprint.empty, 1024 * BUCKET);
        assert!(footprint.full > footprint.empty + 1000 * ELEMENT);
    }

    #[test]
    fn mapped_arrays_take_whole_pages() {
        assert_eq!(of(Table::Services, 1).full, PAGE);
        assert_eq!(of(Table::Services, 513).full, 2 * PAGE);
        assert_eq!(of(Table::Control, 64).full, 64 * 8);
    }
}
