//! How long a thread may run before it is another one's turn.

use std::mem;

use nix::libc::{SCHED_OTHER, SYS_sched_getattr, SYS_sched_setattr, sched_attr, syscall};
use tracing::debug;

/// The shortest that Linux takes.
const SHORT_NS: u64 = 100_000;
/// Threads that this one starts have the slice that any thread has (`SCHED_FLAG_RESET_ON_FORK`).
const FOR_ITSELF: u64 = 1;

/// Has the calling thread, which waits most of the time, run as soon as it is woken, also where another one is in the midst of
/// its slice: its own are short, and Linux, from 6.12 on, prefers who asks for little (docs/decisions/0010). An older
/// kernel takes no notice. A thread whose policy somebody has chosen keeps it.
pub fn shorten() {
    let Some(mut attr) = own().filter(|attr| i64::from(attr.sched_policy) == i64::from(SCHED_OTHER)) else {
        return;
    };
    attr.sched_runtime = SHORT_NS;
    attr.sched_flags |= FOR_ITSELF;
    if !set(&attr) {
        debug!("a thread that changes wait for has no short slice");
    }
}

#[expect(unsafe_code, reason = "sched_getattr(2) has no safe form")]
fn own() -> Option<sched_attr> {
    // SAFETY: it consists of integers, of which zero is one.
    let mut attr: sched_attr = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes at most the given size to `attr`, which outlives the call; thread 0 is this one.
    let result = unsafe { syscall(SYS_sched_getattr, 0, &raw mut attr, mem::size_of::<sched_attr>(), 0) };
    (result == 0).then_some(attr)
}

#[expect(unsafe_code, reason = "sched_setattr(2) has no safe form")]
fn set(attr: &sched_attr) -> bool {
    // SAFETY: the kernel reads the size that `attr` says, which is its own; thread 0 is this one.
    unsafe { syscall(SYS_sched_setattr, 0, &raw const *attr, 0) == 0 }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sys::utsname::uname;

    use super::*;

    fn slice() -> u64 {
        own().unwrap().sched_runtime
    }

    fn kernel_has_slices() -> bool {
        let release = uname().unwrap().release().to_string_lossy().into_owned();
        let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        (parts.next(), parts.next()) >= (Some(6), Some(12))
    }

    #[test]
    fn a_thread_has_a_short_slice_and_those_that_it_starts_have_not() {
        let (before, short, child) = thread::spawn(|| {
            let before = slice();
            shorten();
            (before, slice(), thread::spawn(slice).join().unwrap())
        })
        .join()
        .unwrap();
        let expected = if kernel_has_slices() { SHORT_NS } else { before };
        assert_eq!((short, child), (expected, before));
    }

    #[test]
    fn how_nice_a_thread_is_does_not_change() {
        let nice = thread::spawn(|| {
            let before = own().unwrap();
            assert!(set(&sched_attr { sched_nice: 5, ..before }));
            shorten();
            own().unwrap().sched_nice
        });
        assert_eq!(nice.join().unwrap(), 5);
    }
}
