use std::{
    io,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
    sync::OnceLock,
};

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_map_info};

use super::{Plain, RawMap, attributes, bpf, bpf_fd, found, from_bytes, info_by_fd, raw};
use crate::{Layout, MapKind};

/// What the kernel tells about a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// The kernel's id, unique until reboot.
    pub id: u32,
    /// Its layout; the revision is not known to the kernel and is 0 here.
    pub layout: Layout,
    /// Its size.
    pub max_entries: u32,
    /// Where the kernel keeps the types of its keys and values; none: it was made without.
    pub types: Option<MapTypes>,
}

/// The types of a map's keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapTypes {
    /// The kernel's id of the types (BTF), for [`super::btf_by_id`].
    pub btf: u32,
    /// Which of them is the key's.
    pub key: u32,
    /// Which of them is the value's.
    pub value: u32,
}

/// `BPF_OBJ_GET_INFO_BY_FD` for a map.
pub fn map_info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    // SAFETY: a structure of integers.
    let mut info: bpf_map_info = unsafe { std::mem::zeroed() };
    // SAFETY: the structure for maps, without pointers.
    unsafe { info_by_fd(map, &mut info)? };
    let layout = Layout {
        kind: MapKind::from_number(info.type_),
        key_size: info.key_size,
        value_size: info.value_size,
        flags: info.map_flags,
        revision: 0,
    };
    let types = MapTypes { btf: info.btf_id, key: info.btf_key_type_id, value: info.btf_value_type_id };
    let types = (types.btf != 0 && types.value != 0).then_some(types);
    Ok(MapInfo { id: info.id, layout, max_entries: info.max_entries, types })
}

/// Makes a map; `name` has at most 15 bytes. The revision of the layout is not told to the kernel.
pub fn map_create(name: &str, layout: &Layout, entries: u32) -> io::Result<OwnedFd> {
    let mut attr = attributes();
    attr.__bindgen_anon_1.map_type = layout.kind.number();
    attr.__bindgen_anon_1.key_size = layout.key_size;
    attr.__bindgen_anon_1.value_size = layout.value_size;
    attr.__bindgen_anon_1.map_flags = layout.flags;
    attr.__bindgen_anon_1.max_entries = entries;
    // SAFETY: the name is one member of a union of plain structures.
    let target = unsafe { &mut attr.__bindgen_anon_1.map_name };
    for (to, from) in target.iter_mut().zip(name.bytes().take(15)) {
        *to = from.cast_signed();
    }
    // SAFETY: no pointers.
    unsafe { bpf_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr) }
}

/// The value of a key; `None` if there is none.
pub fn map_lookup<K: Plain, V: Plain>(map: BorrowedFd<'_>, key: &K) -> io::Result<Option<V>> {
    let mut value = MaybeUninit::<V>::uninit();
    let mut attr = element(map, key);
    attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
    // SAFETY: key and value have the map's sizes, which every caller has checked by its layout.
    let is_there = found(unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr) })?;
    // SAFETY: where it is, the kernel has written the whole value.
    Ok(is_there.then(|| unsafe { value.assume_init() }))
}

/// Sets the value of a key. `E2BIG`: the map is full.
pub fn map_update<K: Plain, V: Plain>(map: BorrowedFd<'_>, key: &K, value: &V) -> io::Result<()> {
    let mut attr = element(map, key);
    attr.__bindgen_anon_2.__bindgen_anon_1.value = std::ptr::from_ref(value) as u64;
    // SAFETY: as in `map_lookup`.
    unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
}

/// Sets the values of these keys, by `BPF_MAP_UPDATE_BATCH` (kernel 5.6): one system call instead of many. On an
/// error those before are set. `E2BIG`: the map is full.
pub fn map_update_all<K: Plain, V: Plain>(
    map: BorrowedFd<'_>,
    pairs: impl Iterator<Item = (K, V)>,
) -> io::Result<()> {
    let (keys, values): (Vec<K>, Vec<V>) = pairs.unzip();
    let mut attr = attributes();
    attr.batch.map_fd = raw(map);
    attr.batch.keys = keys.as_ptr() as u64;
    attr.batch.values = values.as_ptr() as u64;
    attr.batch.count = u32::try_from(keys.len()).map_err(io::Error::other)?;
    // SAFETY: both vectors hold `count` elements of the map's sizes.
    unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut attr) }.map(drop)
}

/// Deletes a key; `false` if it was not there.
pub fn map_delete<K: Plain>(map: BorrowedFd<'_>, key: &K) -> io::Result<bool> {
    let mut attr = element(map, key);
    // SAFETY: as in `map_lookup`.
    found(unsafe { bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attr) })
}

/// From now on user space can only read the map.
pub fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = attributes();
    attr.__bindgen_anon_2.map_fd = raw(map);
    // SAFETY: no pointers.
    unsafe { bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr) }.map(drop)
}

/// All pairs of a hash map, as [`RawMap::for_each`] has them.
pub fn map_pairs<K: Plain, V: Plain>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>> {
    let mut pairs = Vec::new();
    RawMap::new(map)?.for_each(|key, value| {
        pairs.push((from_bytes(key)?, from_bytes(value)?));
        Ok(())
    })?;
    Ok(pairs)
}

fn element<K: Plain>(map: BorrowedFd<'_>, key: &K) -> bpf_attr {
    let mut attr = attributes();
    attr.__bindgen_anon_2.map_fd = raw(map);
    attr.__bindgen_anon_2.key = std::ptr::from_ref(key) as u64;
    attr
}

/// How many values a per-CPU element has, from `/sys/devices/system/cpu/possible` ("0-3" or "0"). It is the same until the
/// machine is started again.
pub fn possible_cpus() -> io::Result<usize> {
    static KNOWN: OnceLock<usize> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(*known);
    }
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().rsplit(['-', ',']).next().and_then(|n| n.parse::<usize>().ok());
    let wrong = || io::Error::other(format!("/sys/devices/system/cpu/possible says {text:?}"));
    last.map(|n| *KNOWN.get_or_init(|| n + 1)).ok_or_else(wrong)
}
