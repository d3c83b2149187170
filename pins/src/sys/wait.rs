use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
};

use aya_obj::generated::{bpf_cmd, bpf_map_type};

use super::{attributes, bpf_fd, map_create, map_update, raw};
use crate::{Layout, MapKind};

/// Waits until every program run that began earlier has ended. Takes as long as an RCU grace period, some milliseconds.
///
/// Of a map in a map the kernel says that it was exchanged only when no running program uses the one before (4.20); so one is
/// exchanged. `membarrier(2)` waits for nothing where a single processor is online, whose programs may be preempted all the same, and
/// is refused where processors run without a tick (`nohz_full`).
pub fn wait_for_programs() -> io::Result<()> {
    const ARRAY: Layout = Layout { kind: MapKind::Array, key_size: 4, value_size: 8, flags: 0, revision: 0 };
    let inner = map_create("evermesh_inner", &ARRAY, 1)?;
    let mut attr = attributes();
    attr.__bindgen_anon_1.map_type = bpf_map_type::BPF_MAP_TYPE_ARRAY_OF_MAPS as u32;
    attr.__bindgen_anon_1.key_size = 4;
    attr.__bindgen_anon_1.value_size = 4;
    attr.__bindgen_anon_1.max_entries = 1;
    attr.__bindgen_anon_1.inner_map_fd = raw(inner.as_fd());
    // SAFETY: no pointers.
    let outer = unsafe { bpf_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr)? };
    map_update(outer.as_fd(), &0u32, &inner.as_raw_fd().cast_unsigned())
}
