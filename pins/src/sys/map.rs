use std::{
    io,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_map_info};

use super::{Plain, attributes, bpf, bpf_fd, info_by_fd, raw, zeroed};
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
    match unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr) } {
        // SAFETY: the kernel has written the whole value.
        Ok(_) => Ok(Some(unsafe { value.assume_init() })),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
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
    match unsafe { bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attr) } {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

/// From now on user space can only read the map.
pub fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = attributes();
    attr.__bindgen_anon_2.map_fd = raw(map);
    // SAFETY: no pointers.
    unsafe { bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr) }.map(drop)
}

/// All pairs of a hash map, by `BPF_MAP_LOOKUP_BATCH` (kernel 5.6). A pair that is written meanwhile may be missing or
/// appear in either state; all others appear once.
pub fn map_pairs<K: Plain, V: Plain>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>> {
    let mut pairs = Vec::new();
    let whole = |keys: Vec<K>, values: Vec<V>, count| pairs.extend(keys.into_iter().zip(values).take(count));
    in_batches(map, |batch| (vec![zeroed::<K>(); batch], vec![zeroed::<V>(); batch]), whole)?;
    Ok(pairs)
}

/// As [`map_pairs`], for keys and values of these sizes: calls `each` for the bytes of every pair.
pub fn map_pairs_in_bytes(
    map: BorrowedFd<'_>,
    (key, value): (usize, usize),
    mut each: impl FnMut(&[u8], &[u8]),
) -> io::Result<()> {
    let rooms = |batch| (vec![0u8; batch * key], vec![0u8; batch * value]);
    in_batches(map, rooms, |keys, values, count| {
        let pairs = keys.chunks_exact(key.max(1)).zip(values.chunks_exact(value.max(1)));
        pairs.take(count).for_each(|(key, value)| each(key, value));
    })
}

/// `rooms` gives room for so many keys and values of the map's sizes; `take` is handed it and how many there are.
fn in_batches<K, V>(
    map: BorrowedFd<'_>,
    rooms: impl Fn(usize) -> (Vec<K>, Vec<V>),
    mut take: impl FnMut(Vec<K>, Vec<V>, usize),
) -> io::Result<()> {
    /// Pairs asked for at once. A bucket that holds more makes the kernel answer ENOSPC; then twice as many are asked for.
    const BATCH: usize = 4096;
    let (mut batch, mut token) = (BATCH, None);
    loop {
        let (mut keys, mut values) = rooms(batch);
        let rooms = (keys.as_mut_ptr() as u64, values.as_mut_ptr() as u64);
        match batch_after(map, token, batch, rooms) {
            Ok(page) => {
                take(keys, values, page.count);
                if page.last {
                    return Ok(());
                }
                token = Some(page.token);
            }
            Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => batch *= 2,
            Err(e) => return Err(e),
        }
    }
}

struct Page {
    count: usize,
    token: u64,
    last: bool,
}

/// The addresses are those of room for `batch` keys and values.
fn batch_after(
    map: BorrowedFd<'_>,
    after: Option<u64>,
    batch: usize,
    (keys, values): (u64, u64),
) -> io::Result<Page> {
    let mut token = 0u64;
    let mut attr = attributes();
    attr.batch.map_fd = raw(map);
    attr.batch.in_batch = after.as_ref().map_or(0, |t| std::ptr::from_ref(t) as u64);
    attr.batch.out_batch = &raw mut token as u64;
    attr.batch.keys = keys;
    attr.batch.values = values;
    attr.batch.count = u32::try_from(batch).map_err(io::Error::other)?;
    // SAFETY: both rooms hold `batch` elements of the map's sizes; a hash map's token is a u32.
    let last = match unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr) } {
        Ok(_) => false,
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => true,
        Err(e) => return Err(e),
    };
    // SAFETY: the kernel has written how many pairs it delivered.
    let count = unsafe { attr.batch.count } as usize;
    Ok(Page { count, token, last })
}

fn element<K: Plain>(map: BorrowedFd<'_>, key: &K) -> bpf_attr {
    let mut attr = attributes();
    attr.__bindgen_anon_2.map_fd = raw(map);
    attr.__bindgen_anon_2.key = std::ptr::from_ref(key) as u64;
    attr
}

/// How many values a per-CPU element has, from `/sys/devices/system/cpu/possible` ("0-3" or "0").
pub fn possible_cpus() -> io::Result<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().rsplit(['-', ',']).next().and_then(|n| n.parse::<usize>().ok());
    last.map(|n| n + 1)
        .ok_or_else(|| io::Error::other(format!("/sys/devices/system/cpu/possible says {text:?}")))
}
