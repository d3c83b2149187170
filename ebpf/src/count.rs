use evermesh_abi::Counter;

use crate::maps::COUNTERS;

/// Adds one. Per CPU, so no other program run writes the same word at the same time but one that interrupts
/// this one; a count lost that way is accepted.
#[inline(always)]
pub fn count(counter: Counter) {
    if let Some(word) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: the pointer comes from a look-up that succeeded.
        unsafe { *word += 1 }
    }
}
