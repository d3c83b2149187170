//! `connect()` in three settings that take turns, so that whatever else the machine does falls on all alike.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use hdrhistogram::Histogram;
use socket2::{Domain, Socket, Type};

use crate::{
    figures,
    mesh::{Mesh, TARGET},
};

/// What a service may add to the median `connect()`.
const TARGET_NS: u64 = 1_000;
const HEADER: [&str; 6] = ["connect()", "n", "p50 us", "p99 us", "p50 - baseline us", "p50 / baseline"];

struct Setting {
    name: &'static str,
    hooked: bool,
    target: SocketAddr,
    took: Histogram<u64>,
}

/// The table, and whether the target is met.
pub fn measure(mesh: &Mesh, rounds: u32, connects: u32) -> Result<String> {
    let setting = |name, hooked, target| {
        Ok::<_, anyhow::Error>(Setting { name, hooked, target, took: Histogram::new(3)? })
    };
    let mut settings = [
        setting("outside the hooked cgroup (baseline)", false, mesh.direct())?,
        setting("inside, to an address that is no service", true, mesh.direct())?,
        setting("inside, through a service", true, mesh.service()?)?,
    ];
    mesh.in_pod(|| {
        let listener = TcpListener::bind(("0.0.0.0", TARGET))?;
        thread::spawn(move || serve(&listener));
        for _ in 0..rounds {
            for setting in &mut settings {
                mesh.hooked(setting.hooked)?;
                for _ in 0..connects {
                    let took = connect(setting.target)?;
                    setting.took.record(u64::try_from(took.as_nanos())?)?;
                }
            }
        }
        mesh.hooked(false)
    })?;
    Ok(table(&settings))
}

/// A byte for each connection, so that no client runs ahead of the accept queue.
fn serve(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        // A client that is gone already has what it wanted.
        drop(stream.write_all(b"!"));
    }
}

fn connect(target: SocketAddr) -> Result<Duration> {
    let mut socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    let (address, began) = (target.into(), Instant::now());
    socket.connect(&address)?;
    let took = began.elapsed();
    socket.read_exact(&mut [0])?;
    Ok(took)
}

fn table(settings: &[Setting; 3]) -> String {
    let p50 = |setting: &Setting| setting.took.value_at_quantile(0.5);
    let [baseline, _, service] = settings.each_ref().map(p50);
    let rows = settings.iter().map(|setting| row(setting, p50(setting), baseline));
    let table = figures::table(HEADER, 1, rows);
    let added = service.saturating_sub(baseline);
    let verdict = if added <= TARGET_NS { "met" } else { "missed" };
    format!(
        "{table}\na service adds {} us at p50; target: at most {} us, {verdict}\n",
        micros(added),
        micros(TARGET_NS)
    )
}

fn row(setting: &Setting, p50: u64, baseline: u64) -> [String; 6] {
    let p99 = setting.took.value_at_quantile(0.99);
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (difference, ratio) = ((p50 as f64 - baseline as f64) / 1000.0, p50 as f64 / baseline as f64);
    [
        setting.name.to_owned(),
        setting.took.len().to_string(),
        micros(p50),
        micros(p99),
        format!("{difference:+.2}"),
        format!("{ratio:.3}"),
    ]
}

fn micros(ns: u64) -> String {
    format!("{}.{:02}", ns / 1000, ns % 1000 / 10)
}
