//! How much memory is held that nobody needs.

use nix::libc::{self, c_int};

/// Bytes from which on an allocation is a mapping of its own, which goes when it is freed. Unless it is told, the allocator raises this to what
/// was freed last, up to 32 MiB, and a buffer for everything that a control plane says leaves a hole in which small things come to stand.
const MAPPED_FROM: c_int = 1 << 20;
/// How many arenas threads share. Unless it is told, each has its own until there are eight for a processor, and what one has freed others cannot
/// use. A start from the disk has three threads that build the mesh: with fewer they wait for each other, half as long again.
const ARENAS: c_int = 3;

/// Tells the allocator to hold less. To be called before there are threads.
#[expect(unsafe_code, reason = "mallopt(3) has no safe form")]
pub fn hold_less() {
    for (what, value) in [(libc::M_MMAP_THRESHOLD, MAPPED_FROM), (libc::M_ARENA_MAX, ARENAS)] {
        // SAFETY: it sets a number of the allocator's, under its own lock.
        let _whether_it_was_set = unsafe { libc::mallopt(what, value) };
    }
}

/// Gives back to the system what is free between that which is held. After a mesh was read that is a tenth of the memory of
/// the agent, of which the allocator by itself returns none.
#[expect(unsafe_code, reason = "malloc_trim(3) has no safe form")]
pub fn give_back() {
    // SAFETY: it touches free memory only, and takes the allocator's own locks.
    let _whether_any_was = unsafe { libc::malloc_trim(0) };
}
