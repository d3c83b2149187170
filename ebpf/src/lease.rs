use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use evermesh_abi::control::{HEARTBEAT_NS, LEASE_NS};

use crate::maps::CONTROL;

/// Whether the agent has been silent for longer than the operator allows: then new flows are left alone, so that
/// a node that nobody looks after does not send them to dead endpoints for ever.
#[inline(always)]
pub fn is_over() -> bool {
    let lease = word(LEASE_NS);
    // SAFETY: a helper without pointers.
    lease != 0 && unsafe { bpf_ktime_get_boot_ns() }.saturating_sub(word(HEARTBEAT_NS)) > lease
}

#[inline(always)]
fn word(index: u32) -> u64 {
    // SAFETY: the pointer comes from a look-up that succeeded; an aligned u64 is loaded whole.
    CONTROL.get_ptr(index).map_or(0, |word| unsafe { word.read_volatile() })
}
