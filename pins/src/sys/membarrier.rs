use std::io;

/// Whether `MEMBARRIER_CMD_GLOBAL` is offered (kernel 4.3): not where CPUs run without a tick (`nohz_full`).
pub fn membarrier_is_global() -> io::Result<bool> {
    // SAFETY: a system call without pointers.
    let commands = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_QUERY, 0, 0) };
    if commands < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(commands & i64::from(libc::MEMBARRIER_CMD_GLOBAL) != 0)
}
