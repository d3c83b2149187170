//! A client's attempts in a file.

mod reader;
mod recorder;

pub use reader::Recording;
pub use recorder::Recorder;

use super::ATTEMPT_LEN;

/// First bytes of a recording: its form and version.
const MAGIC: &[u8; 8] = b"EVMATT\0\x01";
/// Stands where an attempt would, after the last one: a client that was killed does not write it.
const END: &[u8; ATTEMPT_LEN] = b"end of the recording, nothing follows it";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Attempt, Family, Kind, Outcome};

    fn attempt(n: u64) -> Attempt {
        let (kind, family, outcome) = (Kind::Udp, Family::V6, Outcome::Ok);
        Attempt { start_ns: n, end_ns: n + 1, kind, family, outcome }
    }

    #[test]
    fn what_is_recorded_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts");
        let mut recorder = Recorder::create(&path).unwrap();
        (0..10_000).for_each(|n| recorder.record(attempt(n)).unwrap());
        recorder.finish().unwrap();
        let mut recording = Recording::open(&path).unwrap();
        for n in 0..10_000 {
            assert_eq!(recording.next_attempt().unwrap(), Some(attempt(n)));
        }
        assert_eq!((recording.next_attempt().unwrap(), recording.complete()), (None, true));
    }

    #[test]
    fn a_recording_that_breaks_off_is_not_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts");
        let mut recorder = Recorder::create(&path).unwrap();
        recorder.record(attempt(1)).unwrap();
        drop(recorder);
        let mut recording = Recording::open(&path).unwrap();
        while recording.next_attempt().unwrap().is_some() {}
        assert!(!recording.complete());
    }

    #[test]
    fn another_file_is_no_recording() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts");
        std::fs::write(&path, "something else").unwrap();
        assert!(Recording::open(&path).is_err());
    }
}
