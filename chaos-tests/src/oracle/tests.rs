//! Hand-made runs. Each check has a mutant of the clean run that it must catch.

use std::time::Duration;

use nix::errno::Errno;

use super::{Event, Oracle, Report, Rules, Timeline, Verdict, Void};
use crate::client::{Attempt, Family, Kind, Outcome};

const MS: u64 = 1_000_000;

/// What one client did.
struct Client {
    attempts: Vec<Attempt>,
    complete: bool,
}

/// A run that the oracle must find clean: two clients, an attempt a millisecond, two kills.
struct Run {
    clients: Vec<Client>,
    events: Vec<Event>,
    overflows: u64,
}

impl Run {
    fn clean() -> Self {
        let client = || Client { attempts: (0..1000).map(attempt).collect(), complete: true };
        let kill =
            |kind: &str, at: u64| Event { kind: kind.into(), start_ns: at * MS, end_ns: (at + 20) * MS };
        Self {
            clients: vec![client(), client()],
            events: vec![kill("agent killed", 300), kill("both killed", 600)],
            overflows: 0,
        }
    }

    fn mutated(mutate: impl FnOnce(&mut Self)) -> Report {
        let mut run = Self::clean();
        mutate(&mut run);
        run.judge()
    }

    fn with_outcome(outcome: Outcome) -> Report {
        Self::mutated(|run| run.clients[1].attempts[310].outcome = outcome)
    }

    fn judge(self) -> Report {
        let mut oracle = Oracle::new(Timeline::new(self.events).unwrap(), Rules::default());
        for (number, Client { attempts, complete }) in self.clients.iter().enumerate() {
            let mut client = oracle.client(&format!("client-{number}"));
            attempts.iter().for_each(|attempt| client.attempt(attempt));
            client.end(*complete);
        }
        oracle.listen_overflows("web", 5, 5 + self.overflows);
        oracle.finish()
    }
}

/// The n-th attempt begins at n milliseconds and takes half of one.
fn attempt(n: u64) -> Attempt {
    let (kind, family, outcome) = (Kind::Greeting, Family::V4, Outcome::Ok);
    Attempt { start_ns: n * MS, end_ns: n * MS + MS / 2, kind, family, outcome }
}

#[test]
fn the_clean_run_is_clean() {
    let report = Run::clean().judge();
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    assert_eq!((report.attempts, report.failed()), (2000, 0));
    assert_eq!(report.longest_stall.duration, Duration::from_millis(1));
    assert_eq!(report.longest_attempt, Duration::from_micros(500));
    // At 300..=320 ms: 21 attempts begin in the event, and none reaches into it.
    assert_eq!(report.events[0].overlapping, 42);
}

#[test]
fn every_bad_outcome_is_a_failure() {
    let stranger = Outcome::WrongServer("trap".parse().unwrap());
    let plain =
        [Outcome::Timeout, Outcome::Closed, Outcome::WrongPeer, Outcome::WrongData, Outcome::NotRefused];
    for outcome in plain.into_iter().chain([stranger, Outcome::Errno(Errno::ECONNREFUSED)]) {
        let report = Run::with_outcome(outcome);
        assert_eq!(report.verdict(), Verdict::Failed, "{outcome}");
        assert_eq!(report.failures.get(&format!("Greeting {outcome}")), Some(&1));
        assert_eq!(report.samples[0].client, "client-1");
        assert_eq!((report.events[0].failures, report.events[1].failures), (1, 0));
        assert_eq!(report.kinds["agent killed"].failures, 1);
    }
}

#[test]
fn an_expected_refusal_is_no_failure_and_no_connection() {
    let report = Run::with_outcome(Outcome::Refused);
    assert_eq!(report.verdict(), Verdict::Clean);
    let kind = &report.kinds["agent killed"];
    assert_eq!((kind.attempts, kind.during.count()), (42, 41));
}

#[test]
fn a_failure_far_from_any_event_counts() {
    let report = Run::mutated(|run| run.clients[0].attempts[5].outcome = Outcome::Timeout);
    assert_eq!(report.verdict(), Verdict::Failed);
}

#[test]
fn a_shortage_of_the_machine_voids() {
    for errno in [Errno::EADDRNOTAVAIL, Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM] {
        let report = Run::with_outcome(Outcome::Errno(errno));
        assert_eq!(report.void, [Void::Exhausted { errno, count: 1 }]);
        assert_eq!(report.verdict(), Verdict::Void);
        assert_eq!(report.failed(), 1, "it stays in the count");
    }
}

#[test]
fn an_overflowing_accept_queue_voids() {
    let report = Run::mutated(|run| run.overflows = 2);
    assert_eq!(report.void, [Void::ListenOverflows { pod: "web".into(), count: 2 }]);
}

#[test]
fn an_event_that_nobody_saw_voids() {
    let report = Run::mutated(|run| {
        run.clients.truncate(1);
        run.clients[0].attempts.retain(|a| a.start_ns < 598 * MS || a.start_ns > 618 * MS);
    });
    let expected = Void::EventUnseen { kind: "both killed".into(), index: 1, overlapping: 2 };
    assert_eq!(report.void, [expected]);
}

#[test]
fn a_run_without_attempts_voids() {
    let report = Run::mutated(|run| {
        run.clients.clear();
        run.events.clear();
    });
    assert_eq!(report.void, [Void::NoAttempts]);
}

#[test]
fn a_client_that_died_or_kept_silent_voids() {
    let report = Run::mutated(|run| run.clients[1].complete = false);
    assert_eq!(report.void, [Void::ClientDied { client: "client-1".into() }]);
    let report = Run::mutated(|run| run.clients[0].attempts.clear());
    assert_eq!(report.void, [Void::ClientSilent { client: "client-0".into() }]);
}

#[test]
fn void_beats_failed() {
    let report = Run::mutated(|run| {
        run.clients[0].attempts[310].outcome = Outcome::Timeout;
        run.overflows = 1;
    });
    assert_eq!(report.verdict(), Verdict::Void);
}

#[test]
fn a_stall_is_seen_whether_attempts_are_slow_or_missing() {
    let missing =
        Run::mutated(|run| run.clients[1].attempts.retain(|a| !(310 * MS..360 * MS).contains(&a.start_ns)));
    let slow = Run::mutated(|run| {
        run.clients[1].attempts.retain(|a| !(311 * MS..361 * MS).contains(&a.start_ns));
        run.clients[1].attempts[310].end_ns = 360 * MS + MS / 2;
    });
    for report in [&missing, &slow] {
        assert_eq!(report.longest_stall.client, "client-1");
        assert_eq!(report.longest_stall.duration, Duration::from_millis(51));
        assert_eq!(report.events[0].longest_stall, Duration::from_millis(51));
        assert_eq!(report.events[1].longest_stall, Duration::from_millis(1));
        assert_eq!(report.kinds["agent killed"].longest_stall, Duration::from_millis(51));
    }
    assert_eq!(missing.longest_attempt, Duration::from_micros(500));
    assert_eq!(slow.longest_attempt, Duration::from_micros(50_500));
}

#[test]
fn latency_is_told_before_during_and_after() {
    let report = Run::mutated(|run| {
        let during = 300 * MS..=320 * MS;
        let slow =
            run.clients.iter_mut().flat_map(|c| &mut c.attempts).filter(|a| during.contains(&a.start_ns));
        slow.for_each(|a| a.end_ns = a.start_ns + MS);
        run.events.truncate(1);
    });
    let kind = &report.kinds["agent killed"];
    // The histogram keeps two digits.
    let is =
        |latency: Duration, expected_us: u128| latency.as_micros().abs_diff(expected_us) * 100 <= expected_us;
    assert!(is(kind.before.p50(), 500) && is(kind.before.p99(), 500), "{}", kind.before);
    assert!(is(kind.during.p50(), 1000) && is(kind.during.p99(), 1000), "{}", kind.during);
    assert!(is(kind.after.p50(), 500) && is(kind.after.p99(), 500), "{}", kind.after);
    assert_eq!((kind.before.count(), kind.during.count(), kind.after.count()), (600, 42, 1358));
}

#[test]
fn what_is_near_no_event_is_told_apart() {
    let report = Run::mutated(|run| {
        let early = run.clients.iter_mut().flat_map(|c| &mut c.attempts).filter(|a| a.start_ns < 200 * MS);
        early.for_each(|a| *a = Attempt { start_ns: a.start_ns, end_ns: a.start_ns + MS / 4, ..*a });
        run.events = vec![Event { kind: "agent killed".into(), start_ns: 1200 * MS, end_ns: 1210 * MS }];
    });
    assert_eq!((report.undisturbed.count(), report.kinds["agent killed"].before.count()), (400, 1600));
    assert!(report.undisturbed.p99() < Duration::from_micros(300), "{}", report.undisturbed);
}
