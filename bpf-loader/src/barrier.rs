use std::io;

use nix::libc;

/// Waits until every program run that began earlier has ended: a global memory barrier waits for an RCU
/// grace period, and programs run inside RCU read-side sections. Takes 8 to 16 ms (kernel 4.3).
#[expect(unsafe_code, reason = "membarrier(2) has no safe form")]
pub fn barrier() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
