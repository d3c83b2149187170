use std::fs;

use crate::{Error, Result};

/// A counter of TCP in the namespace of this thread, by the name that `nstat` has for it without `TcpExt`.
pub(super) fn tcp(name: &str) -> Result<u64> {
    let path = "/proc/thread-self/net/netstat";
    let text = fs::read_to_string(path).map_err(Error::path("read", path))?;
    Ok(tcp_ext(&text, name))
}

/// A counter of the `TcpExt` lines: one of names, then one of values.
fn tcp_ext(netstat: &str, name: &str) -> u64 {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(n, _)| *n == name).and_then(|(_, v)| v.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 3 7\nIpExt: A B\nIpExt: 1 2\n";
        assert_eq!(tcp_ext(text, "ListenOverflows"), 7);
        assert_eq!(tcp_ext(text, "Absent"), 0);
    }
}
