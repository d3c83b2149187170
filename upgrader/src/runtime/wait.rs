use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use crate::SupervisorError;

/// Waits until one of the descriptors is readable, or until the deadline.
pub fn wait<'fd>(
    descriptors: impl IntoIterator<Item = BorrowedFd<'fd>>,
    deadline: Option<Instant>,
) -> Result<(), SupervisorError> {
    let mut fds: Vec<_> = descriptors.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    match ppoll(&mut fds, left.map(timespec), None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(source) => Err(SupervisorError::Wait { source }),
    }
}

/// An hour at most: the loop comes back to wait for the rest.
fn timespec(time: Duration) -> TimeSpec {
    TimeSpec::from_duration(time.min(Duration::from_secs(3600)))
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::fd::AsFd as _, os::unix::net::UnixStream};

    use super::*;

    #[test]
    fn ends_with_what_comes_first() {
        let (read, mut write) = UnixStream::pair().unwrap();
        let start = Instant::now();
        wait([read.as_fd()], Some(start + Duration::from_millis(20))).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));

        write.write_all(b"x").unwrap();
        wait([read.as_fd()], Some(start + Duration::from_secs(3600))).unwrap();
        wait([read.as_fd()], None).unwrap();
        assert!(start.elapsed() < Duration::from_secs(3600));
    }
}
