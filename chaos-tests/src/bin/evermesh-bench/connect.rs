//! `connect()` in settings that take turns, so that whatever else the machine does falls on all alike.

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
/// What more services beside it may add.
const TARGET_OF_MORE_NS: u64 = 200;
const HEADER: [&str; 7] =
    ["beside services", "connect()", "n", "p50 us", "p99 us", "p50 - baseline us", "p50 / baseline"];

/// Connections to a service of this mesh.
struct Settings<'a> {
    mesh: &'a Mesh,
    services: u32,
    /// The baseline first, the service last.
    all: [Setting; 3],
}

struct Setting {
    name: &'static str,
    hooked: bool,
    target: SocketAddr,
    took: Histogram<u64>,
}

/// The table, and whether the targets are met: the services that are measured stand beside few others, and beside many.
pub fn measure(meshes: [(u32, &Mesh); 2], rounds: u32, connects: u32) -> Result<String> {
    let [few, many] = meshes.map(|(services, mesh)| Settings::new(services, mesh));
    let mut all = [few?, many?];
    for settings in &all {
        settings.mesh.in_pod(|| {
            let listener = TcpListener::bind(("0.0.0.0", TARGET))?;
            thread::spawn(move || serve(&listener));
            Ok(())
        })?;
    }
    for round in 0..rounds {
        let turns = 0..2 * all[0].all.len();
        for turn in turns {
            // Each comes first as often as last.
            let which = (turn + round as usize) % 2;
            let Settings { mesh, all, .. } = &mut all[which];
            all[turn / 2].take_turn(mesh, connects)?;
        }
    }
    all[0].mesh.hooked(false)?;
    Ok(table(&all))
}

impl<'a> Settings<'a> {
    fn new(services: u32, mesh: &'a Mesh) -> Result<Self> {
        let setting = |name, hooked, target| {
            Ok::<_, anyhow::Error>(Setting { name, hooked, target, took: Histogram::new(3)? })
        };
        let all = [
            setting("outside the hooked cgroup (baseline)", false, mesh.direct())?,
            setting("inside, to an address that is no service", true, mesh.direct())?,
            setting("inside, through a service", true, mesh.service()?)?,
        ];
        Ok(Self { mesh, services, all })
    }

    fn medians(&self) -> [u64; 3] {
        self.all.each_ref().map(|setting| setting.took.value_at_quantile(0.5))
    }
}

impl Setting {
    fn take_turn(&mut self, mesh: &Mesh, connects: u32) -> Result<()> {
        mesh.hooked(self.hooked)?;
        mesh.in_pod(|| {
            for _ in 0..connects {
                let took = connect(self.target)?;
                self.took.record(u64::try_from(took.as_nanos())?)?;
            }
            Ok(())
        })
    }
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

fn table(all: &[Settings<'_>; 2]) -> String {
    let rows = all.iter().flat_map(|settings| {
        let [baseline, ..] = settings.medians();
        settings.all.iter().map(move |setting| row(settings.services, setting, baseline))
    });
    let table = figures::table(HEADER, 2, rows);
    let medians = all.each_ref().map(Settings::medians);
    let said = all.iter().zip(medians).map(|(settings, [baseline, _, service])| {
        let added = service.saturating_sub(baseline);
        format!(
            "a service adds {} us at p50 beside {} services; target: at most {} us, {}\n",
            micros(added),
            settings.services,
            micros(TARGET_NS),
            verdict(added, TARGET_NS)
        )
    });
    let said: String = said.collect();
    let [few, many] = medians.map(|[.., service]| service);
    let apart = few.abs_diff(many);
    format!(
        "{table}\n{said}through a service, the two are {} us apart at p50; target: at most {} us, {}\n",
        micros(apart),
        micros(TARGET_OF_MORE_NS),
        verdict(apart, TARGET_OF_MORE_NS)
    )
}

const fn verdict(found: u64, target: u64) -> &'static str {
    if found <= target { "met" } else { "missed" }
}

fn row(services: u32, setting: &Setting, baseline: u64) -> [String; 7] {
    let [p50, p99] = [0.5, 0.99].map(|quantile| setting.took.value_at_quantile(quantile));
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (difference, ratio) = ((p50 as f64 - baseline as f64) / 1000.0, p50 as f64 / baseline as f64);
    [
        services.to_string(),
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
