//! What the machine itself takes: the baseline of everything that threads hand to each other.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// About what a changed workload takes on the wire.
const BYTES: usize = 400;

/// The wake-ups of a change and nothing to do: a socket, and three threads one after the other.
pub struct Relay {
    wire: TcpStream,
    arrived: mpsc::Receiver<Instant>,
}

impl Relay {
    /// Its threads end with it.
    pub fn new() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let wire = TcpStream::connect(listener.local_addr()?)?;
        wire.set_nodelay(true)?;
        let (mut heard, _) = listener.accept()?;
        let (to_second, from_first) = mpsc::channel();
        let (to_third, from_second) = mpsc::channel();
        let (arrives, arrived) = mpsc::channel();
        spawn(
            "relay-1",
            move || while heard.read_exact(&mut [0; BYTES]).is_ok() && to_second.send(()).is_ok() {},
        )?;
        spawn("relay-2", move || while from_first.recv().is_ok() && to_third.send(()).is_ok() {})?;
        spawn(
            "relay-3",
            move || while from_second.recv().is_ok() && arrives.send(Instant::now()).is_ok() {},
        )?;
        Ok(Self { wire, arrived })
    }

    /// From before the socket is written until the last thread runs.
    pub fn pass(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.wire.write_all(&[0; BYTES])?;
        Ok(self.arrived.recv()?.duration_since(began))
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).context("start a thread")?;
    Ok(())
}

/// Time of all processors, in ticks since the machine was started.
#[derive(Clone, Copy)]
pub struct Processors {
    all: u64,
    /// In which a host let others run instead.
    stolen: u64,
}

impl Processors {
    pub fn now() -> Result<Self> {
        Self::read(&fs::read_to_string("/proc/stat")?)
            .context("/proc/stat begins with another line than proc(5) says")
    }

    /// User, nice, system, idle, iowait, irq, softirq, steal; what follows is in the first two already.
    fn read(stat: &str) -> Option<Self> {
        let ticks = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let ticks: Vec<u64> = ticks.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { all: ticks.iter().sum(), stolen: *ticks.get(7)? })
    }

    /// What share a host took away since then, in percent.
    pub fn stolen_since(self, before: Self) -> f64 {
        100.0 * (self.stolen - before.stolen) as f64 / (self.all - before.all).max(1) as f64
    }
}
