//! Memory that was needed for a moment only.

use nix::libc;

/// Gives back to the system what is free between that which is held. After a mesh was read that is a tenth of the memory of
/// the agent, of which the allocator by itself returns none.
#[expect(unsafe_code, reason = "malloc_trim(3) has no safe form")]
pub fn give_back() {
    // SAFETY: it touches free memory only, and takes the allocator's own locks.
    let _whether_any_was = unsafe { libc::malloc_trim(0) };
}
