use std::os::fd::{AsFd, BorrowedFd};

use evermesh_pins::sys::RawMap;
use evermesh_sentinel::Findings;

/// What the release hook is for: none of these `origins` remembers a socket of the sentinel's that is closed.
pub fn check(findings: &mut Findings, origins: &[impl AsFd]) {
    let is_remembered = |cookie: &u64| origins.iter().any(|map| is_remembered(map.as_fd(), *cookie));
    if let Some(cookie) = findings.closed.iter().copied().find(is_remembered) {
        findings.fail(format!("sock_release: socket {cookie} is closed and still remembered"));
    }
}

fn is_remembered(origins: BorrowedFd<'_>, cookie: u64) -> bool {
    // Whatever its layout, its key is the socket's cookie.
    RawMap::new(origins).is_ok_and(|entries| {
        let mut value = vec![0; entries.value_size()];
        entries.lookup(&cookie.to_ne_bytes(), &mut value).unwrap_or(false)
    })
}
