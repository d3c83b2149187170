//! How much memory is held that nobody needs.

use nix::libc::{self, c_int};

/// As many as a start from the disk has threads that build the mesh: with fewer they wait for each other, and it takes half as long again.
const ARENAS: c_int = 3;

/// Lets threads share arenas of the allocator, which gives each its own until there are eight for a processor: what one thread has freed,
/// others cannot use. To be called before there are threads.
#[expect(unsafe_code, reason = "mallopt(3) has no safe form")]
pub fn share_arenas() {
    // SAFETY: it sets a number of the allocator's, under its own lock.
    let _whether_it_is_known = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Gives back to the system what is free between that which is held. After a mesh was read that is a tenth of the memory of
/// the agent, of which the allocator by itself returns none.
#[expect(unsafe_code, reason = "malloc_trim(3) has no safe form")]
pub fn give_back() {
    // SAFETY: it touches free memory only, and takes the allocator's own locks.
    let _whether_any_was = unsafe { libc::malloc_trim(0) };
}
