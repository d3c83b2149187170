//! Python's sockets, HTTP client and event loop.

use std::process::Command;

use crate::bench::{Bench, ECHO, OTHER};

/// Debian's Python with a script of ours.
pub fn python(script: &str) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", script]);
    command
}

/// What the client prints when it asks [`OTHER`] and its like in one of its ways.
fn told(bench: &Bench, way: &str) -> Vec<String> {
    let mut command = python(include_str!("client.py"));
    command.arg(way).args(OTHER.both(ECHO).map(|target| target.ip().to_string()));
    bench.client.run(command).unwrap().lines().map(str::to_owned).collect()
}

/// What it should print: these, for each address.
fn expected(kinds: [&str; 2]) -> Vec<String> {
    OTHER
        .both(ECHO)
        .iter()
        .flat_map(|target| kinds.map(|kind| format!("{kind} {} other", target.ip())))
        .collect()
}

#[test]
fn sockets_of_python_are_served() {
    let bench = Bench::new();
    bench.run(|| assert_eq!(told(&bench, "sockets"), expected(["udp", "tcp"])));
}

#[test]
fn the_http_client_of_python_keeps_its_connection() {
    let bench = Bench::new();
    bench.run(|| assert_eq!(told(&bench, "http"), expected(["http", "http"])));
}

#[test]
fn asyncio_is_served() {
    let bench = Bench::new();
    bench.run(|| assert_eq!(told(&bench, "asyncio"), expected(["stream", "datagram"])));
}
