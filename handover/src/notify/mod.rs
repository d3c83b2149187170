//! What the agent tells its supervisor: the systemd notify protocol, received.
//!
//! One datagram holds assignments, one a line. Keys that are not listed in [`Notice`] are ignored, so that an
//! agent of another release may say more. Source of the protocol: `sd_notify(3)`.

mod socket;

use std::time::Duration;

pub use socket::{NotifySocket, NotifySocketError};

/// One thing that the agent says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `READY=1`: it has started.
    Ready,
    /// `STOPPING=1`: it is about to end.
    Stopping,
    /// `STATUS=...`: what it does, for a human.
    Status(String),
    /// `WATCHDOG=1`: it is alive.
    Alive,
    /// `WATCHDOG=trigger`: it found itself to be stuck and wants to be replaced.
    Stuck,
    /// `WATCHDOG_USEC=...`: how long its silence may last from now on.
    SilenceMax(Duration),
}

/// Why a datagram is none of the notify protocol. No part of it is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedNotice {
    /// It is not UTF-8.
    #[error("a notification is not UTF-8")]
    NotText,
    /// It is longer than [`DATAGRAM_BYTES_MAX`].
    #[error("a notification is longer than {DATAGRAM_BYTES_MAX} bytes")]
    TooLong,
    /// A line is not `KEY=VALUE`.
    #[error("the notification line {line:?} is not KEY=VALUE")]
    NoAssignment {
        /// The line.
        line: String,
    },
    /// A known key has a value that it cannot have.
    #[error("the notification {key} cannot be {value:?}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
}

/// The longest datagram that is accepted, in bytes.
pub const DATAGRAM_BYTES_MAX: usize = 4096;

/// Reads one datagram; the notices keep their order.
pub fn parse(datagram: &[u8]) -> Result<Vec<Notice>, MalformedNotice> {
    let text = str::from_utf8(datagram).map_err(|_| MalformedNotice::NotText)?;
    let lines = text.split('\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| parse_line(line).transpose()).collect()
}

fn parse_line(line: &str) -> Result<Option<Notice>, MalformedNotice> {
    let assignment = line.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = assignment.ok_or_else(|| MalformedNotice::NoAssignment { line: line.into() })?;
    let impossible = || MalformedNotice::Value { key: key.into(), value: value.into() };
    Ok(Some(match (key, value) {
        ("READY", "1") => Notice::Ready,
        ("STOPPING", "1") => Notice::Stopping,
        ("WATCHDOG", "1") => Notice::Alive,
        ("WATCHDOG", "trigger") => Notice::Stuck,
        ("STATUS", text) => Notice::Status(text.into()),
        ("WATCHDOG_USEC", time) => Notice::SilenceMax(microseconds(time).ok_or_else(impossible)?),
        ("READY" | "STOPPING" | "WATCHDOG", _) => return Err(impossible()),
        _ => return Ok(None),
    }))
}

fn microseconds(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|&time| time > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_an_agent_says_in_its_order() {
        let said =
            parse(b"STATUS=a = b\nREADY=1\nWATCHDOG=1\nWATCHDOG=trigger\nSTOPPING=1\nWATCHDOG_USEC=300000\n");
        let status = Notice::Status("a = b".into());
        let silence = Notice::SilenceMax(Duration::from_millis(300));
        let expected = [status, Notice::Ready, Notice::Alive, Notice::Stuck, Notice::Stopping, silence];
        assert_eq!(said.unwrap(), expected);
    }

    #[test]
    fn ignores_keys_of_other_releases() {
        assert_eq!(parse(b"MAINPID=7\nX_NEW=\nREADY=1").unwrap(), [Notice::Ready]);
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn names_what_is_wrong() {
        let wrong = |datagram: &[u8]| parse(datagram).unwrap_err().to_string();
        insta::assert_snapshot!(wrong(b"\xff"), @"a notification is not UTF-8");
        insta::assert_snapshot!(wrong(b"READY=1\nhello"), @r#"the notification line "hello" is not KEY=VALUE"#);
        insta::assert_snapshot!(wrong(b"=1"), @r#"the notification line "=1" is not KEY=VALUE"#);
        insta::assert_snapshot!(wrong(b"READY=2"), @r#"the notification READY cannot be "2""#);
        insta::assert_snapshot!(wrong(b"WATCHDOG_USEC=0"), @r#"the notification WATCHDOG_USEC cannot be "0""#);
        insta::assert_snapshot!(wrong(b"WATCHDOG_USEC=-1"), @r#"the notification WATCHDOG_USEC cannot be "-1""#);
    }

    proptest! {
        #[test]
        fn never_panics(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&datagram);
        }
    }
}
