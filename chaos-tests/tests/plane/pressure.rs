//! Tables that change while sockets connect all the time, on processors that are taken from them in the middle of it.

use std::{
    io,
    net::UdpSocket,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::bench::{Bench, PORT, VIP4, inside};

#[derive(Debug)]
pub struct Outcome {
    pub changes: usize,
    pub connects: u64,
    pub failures: u64,
}

/// Makes one change after the other, numbered from 0, until `enough` says so or the time is over, while sockets connect to the service. Which
/// errors of theirs are failures, `is_failure` says.
pub fn under_pressure(
    bench: &Bench,
    at_most: Duration,
    enough: fn(&Outcome) -> bool,
    is_failure: fn(io::Error) -> bool,
    mut change: impl FnMut(usize) + Send,
) -> Outcome {
    let (stop, connects, failures) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let outcome = |changes| Outcome {
        changes,
        connects: connects.load(Ordering::Relaxed),
        failures: failures.load(Ordering::Relaxed),
    };
    let changes = inside(bench, &bench.client, || {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| connect_all_the_time(is_failure, &stop, &connects, &failures));
            }
            for _ in 0..2 {
                scope.spawn(|| interrupt_all_the_time(&stop));
            }
            let (began, mut changes) = (Instant::now(), 0);
            while began.elapsed() <= at_most && !enough(&outcome(changes)) {
                change(changes);
                changes += 1;
            }
            stop.store(true, Ordering::Relaxed);
            changes
        })
    });
    outcome(changes)
}

/// Where it is left alone there may be no way to it, which is no failure.
pub fn is_refused(error: io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

fn connect_all_the_time(
    is_failure: fn(io::Error) -> bool,
    stop: &AtomicBool,
    connects: &AtomicU64,
    failures: &AtomicU64,
) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    while !stop.load(Ordering::Relaxed) {
        let failed = socket.connect((VIP4, PORT)).is_err_and(is_failure);
        connects.fetch_add(1, Ordering::Relaxed);
        failures.fetch_add(failed.into(), Ordering::Relaxed);
    }
}

/// Takes the processor from the others in the middle of what they do: a program run that is held up is what a careless writer
/// does not wait for.
fn interrupt_all_the_time(stop: &AtomicBool) {
    const PAUSE: Duration = Duration::from_micros(50);
    const HOLD: Duration = Duration::from_micros(100);
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(PAUSE);
        let began = Instant::now();
        while began.elapsed() < HOLD {
            std::hint::spin_loop();
        }
    }
}
