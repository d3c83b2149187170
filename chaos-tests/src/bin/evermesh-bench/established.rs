//! Once a connection stands, no program runs for it: the kernel's own run counts say so.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
};

use anyhow::{Result, anyhow, ensure};
use aya::sys::{Stats, enable_stats};
use evermesh_pins::Hook;

use crate::mesh::{Mesh, TARGET};

/// How often programs ran.
type Runs = BTreeMap<Hook, u64>;

/// Sends `messages` on a TCP connection and on a connected UDP socket through the service, and fails if any program ran
/// meanwhile.
pub fn measure(mesh: &Mesh, messages: u32) -> Result<String> {
    let _counting = enable_stats(Stats::RunTime)?;
    let target = mesh.service()?;
    mesh.hooked(true)?;
    let (tcp, udp) =
        mesh.in_pod(|| Ok((over_tcp(mesh, target, messages)?, over_udp(mesh, target, messages)?)))?;
    mesh.hooked(false)?;
    ensure!(
        tcp.is_empty() && udp.is_empty(),
        "programs ran for TCP messages: {tcp:?}, for UDP messages: {udp:?}"
    );
    Ok(format!(
        "established traffic: {messages} messages over TCP and as many over UDP, programs ran 0 times\n"
    ))
}

/// The server has accepted, which asks for the peer's name, before runs are counted, and is gone afterwards.
fn over_tcp(mesh: &Mesh, target: SocketAddr, messages: u32) -> Result<Runs> {
    let listener = TcpListener::bind(("0.0.0.0", TARGET))?;
    let server = thread::spawn(move || -> io::Result<u64> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"!")?;
        io::copy(&mut stream, &mut io::sink())
    });
    let mut stream = TcpStream::connect(target)?;
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0])?;
    let before = mesh.runs()?;
    for _ in 0..messages {
        stream.write_all(b"message")?;
    }
    let ran = more(&mesh.runs()?, &before);
    drop(stream);
    let received = server.join().map_err(|_| anyhow!("the server panicked"))??;
    ensure!(received == u64::from(messages) * 7, "the server received {received} bytes");
    Ok(ran)
}

fn over_udp(mesh: &Mesh, target: SocketAddr, messages: u32) -> Result<Runs> {
    let sink = UdpSocket::bind(("0.0.0.0", TARGET))?;
    thread::spawn(move || -> io::Result<()> {
        loop {
            sink.recv(&mut [0; 64])?;
        }
    });
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(target)?;
    let before = mesh.runs()?;
    for _ in 0..messages {
        socket.send(b"message")?;
    }
    Ok(more(&mesh.runs()?, &before))
}

/// The programs that ran between two countings, and how often.
fn more(now: &Runs, before: &Runs) -> Runs {
    let ran = now.iter().map(|(&hook, runs)| (hook, runs - before.get(&hook).unwrap_or(&0)));
    ran.filter(|(_, runs)| *runs > 0).collect()
}
