//! The client against a supervisor whose every line is written out here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::fd::AsFd as _,
    os::unix::net::{UnixListener, UnixStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use evermesh_handover::{Client, ClientError, Heard, Intent, Predecessor, RunDir, message::LINE_BYTES_MAX};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const PATIENCE: Duration = Duration::from_secs(10);
const YIELDED: &str = r#"{"version":0,"message":{"kind":"yielded"}}"#;
const TAKEN_BACK: &str = r#"{"version":0,"message":{"kind":"taken_back"}}"#;

struct Peer {
    reader: BufReader<UnixStream>,
}

impl Peer {
    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    fn says(&mut self, line: &str) {
        writeln!(self.reader.get_mut(), "{line}").unwrap();
    }
}

fn with_peer<T: Send + 'static>(
    play: impl FnOnce(Peer) -> T + Send + 'static,
) -> (tempfile::TempDir, Client, JoinHandle<T>) {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::new(dir.path());
    let listener = UnixListener::bind(run_dir.control_socket()).unwrap();
    let played = thread::spawn(move || play(Peer { reader: BufReader::new(listener.accept().unwrap().0) }));
    (dir, Client::connect(&run_dir, PATIENCE).unwrap(), played)
}

fn next_heard(predecessor: &mut Predecessor) -> Heard {
    let mut fds = [PollFd::new(predecessor.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::try_from(PATIENCE).unwrap()).unwrap(), 1);
    predecessor.hear()
}

#[test]
fn nobody_listening_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = RunDir::new(dir.path());
    let connect = || Client::connect(&run_dir, PATIENCE).unwrap_err();
    assert!(matches!(connect(), ClientError::NotRunning { .. }));
    drop(UnixListener::bind(run_dir.control_socket()).unwrap());
    assert!(matches!(connect(), ClientError::NotRunning { .. }));
}

#[test]
fn stop_returns_when_the_connection_closes() {
    let (_dir, client, played) = with_peer(|mut peer| {
        let request = peer.hears();
        peer.says(r#"{"version":0,"message":{"kind":"stopping"}}"#);
        request
    });
    client.stop(Intent::Uninstall, PATIENCE).unwrap();
    let request = played.join().unwrap();
    assert_eq!(request, r#"{"version":0,"message":{"kind":"stop","intent":"uninstall"}}"#);
}

#[test]
fn a_supervisor_that_does_not_end_in_time_is_reported() {
    let (_dir, client, played) = with_peer(|mut peer| {
        peer.hears();
        peer.says(r#"{"version":0,"message":{"kind":"stopping"}}"#);
        peer.hears()
    });
    let error = client.stop(Intent::Restart, Duration::from_millis(10)).unwrap_err();
    insta::assert_snapshot!(error, @"the evermesh supervisor did not answer within 10 ms");
    played.join().unwrap();
}

#[test]
fn a_state_of_a_later_release_is_read() {
    let (_dir, mut client, played) = with_peer(|mut peer| {
        peer.hears();
        peer.says(concat!(
            r#"{"version":0,"message":{"kind":"state","release":"9","pid":1,"phase":"dreaming","restarts":{"bored":1},"#,
            r#""since_unix_ms":5,"started_unix_ms":6,"mood":"fine"}}"#
        ));
    });
    let state = client.state().unwrap();
    assert_eq!((state.phase.as_str(), state.restarts["bored"], state.agent_pid), ("unknown", 1, None));
    played.join().unwrap();
}

#[test]
fn a_refusal_carries_reason_and_versions() {
    let (_dir, client, played) = with_peer(|mut peer| {
        peer.hears();
        peer.says(r#"{"version":0,"message":{"kind":"refused","reason":"too old","versions":[3,4]}}"#);
    });
    match client.ask("0.1.0", None, Vec::new(), PATIENCE).unwrap_err() {
        ClientError::Refused { reason, versions } => {
            assert_eq!((reason.as_str(), versions), ("too old", vec![3, 4]))
        }
        other => panic!("{other}"),
    }
    played.join().unwrap();
}

#[test]
fn what_is_no_answer_is_named() {
    for (said, error) in [
        (String::new(), "the evermesh supervisor closed the connection without an answer"),
        (YIELDED.into(), "the evermesh supervisor's answer does not fit the question: Yielded"),
        (
            "x".repeat(LINE_BYTES_MAX + 2),
            "the evermesh supervisor's answer cannot be read: a message is longer than 65536 bytes",
        ),
    ] {
        let (_dir, mut client, played) = with_peer(move |mut peer| {
            peer.hears();
            if !said.is_empty() {
                peer.says(&said);
            }
        });
        assert_eq!(client.state().unwrap_err().to_string(), error);
        drop(client);
        let _ = played.join();
    }
}

#[test]
fn a_predecessor_hears_commit_or_rollback_once_it_has_yielded() {
    type Say = fn(Predecessor) -> Result<(), ClientError>;
    let words = [
        (Predecessor::commit as Say, r#"{"version":0,"message":{"kind":"commit"}}"#),
        (Predecessor::rollback as Say, r#"{"version":0,"message":{"kind":"rollback"}}"#),
    ];
    for (say, line) in words {
        let (_dir, client, played) = with_peer(|mut peer| {
            let ask = peer.hears();
            assert!(ask.contains(r#""commit_within_ms":10000"#), "{ask}");
            peer.says(YIELDED);
            peer.hears()
        });
        say(client.ask("0.1.0", None, Vec::new(), PATIENCE).unwrap()).unwrap();
        assert_eq!(played.join().unwrap(), line);
    }
}

#[test]
fn a_predecessor_that_takes_back_or_dies_is_heard() {
    let (_dir, client, played) = with_peer(|mut peer| {
        peer.hears();
        peer.says(YIELDED);
        peer.says(TAKEN_BACK);
    });
    let mut predecessor = client.ask("0.1.0", None, Vec::new(), PATIENCE).unwrap();
    played.join().unwrap();
    assert_eq!(predecessor.hear(), Heard::TakenBack);
    assert_eq!(next_heard(&mut predecessor), Heard::Gone);
}
