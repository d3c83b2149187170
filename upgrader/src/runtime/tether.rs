//! Tying a child to the life of this process.
#![expect(unsafe_code, reason = "code between fork and exec")]

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    os::unix::process::CommandExt as _,
    process::{self, Command},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{prctl, signal::Signal},
    unistd::{Pid, getppid},
};

/// Makes the kernel kill the child when this process ends in whatever way, and lets it hold `lock` as long as it
/// lives. The signal follows the spawning *thread*: spawn from the main one. It reaches the child only, not what
/// the child starts.
pub fn tether(command: &mut Command, lock: BorrowedFd<'_>) {
    let (parent, lock) = (process::id(), lock.as_raw_fd());
    // SAFETY: `tie` makes system calls only: it takes no lock and no memory, and touches no state of this process.
    // `lock` stays open until the child is spawned, because the caller holds it over `spawn`.
    unsafe {
        command.pre_exec(move || Ok(tie(parent, BorrowedFd::borrow_raw(lock))?));
    }
}

fn tie(parent: u32, lock: BorrowedFd<'_>) -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // If the parent ended before the line above, the signal never comes.
    if getppid() != Pid::from_raw(parent.cast_signed()) {
        return Err(Errno::ESRCH);
    }
    fcntl(lock, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io, os::fd::AsFd as _};

    use super::*;

    #[test]
    fn a_child_of_somebody_else_does_not_start() {
        let file = File::open("/dev/null").unwrap();
        let own = process::id();
        assert_eq!(tie(own, file.as_fd()), Err(Errno::ESRCH));
        prctl::set_pdeathsig(None).unwrap();
    }

    #[test]
    fn the_child_inherits_the_lock_and_nothing_of_the_kind_before() {
        let file = File::open("/dev/null").unwrap();
        let inherited = || -> io::Result<bool> {
            let mut command = Command::new("test");
            command.args(["-e", &format!("/proc/self/fd/{}", file.as_raw_fd())]);
            tether(&mut command, file.as_fd());
            Ok(command.status()?.success())
        };
        assert!(inherited().unwrap());
        let flags = fcntl(&file, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
    }
}
