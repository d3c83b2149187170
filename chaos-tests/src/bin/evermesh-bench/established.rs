//! Once a connection stands, no program runs for it: the kernel's own run counts say so.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
};

use anyhow::{Result, ensure};
use aya::sys::{Stats, enable_stats};

use crate::mesh::{Mesh, TARGET};

/// Sends `messages` on a TCP connection and on a connected UDP socket through the service, and fails if any program ran
/// meanwhile.
pub fn measure(mesh: &Mesh, messages: u32) -> Result<String> {
    let _counting = enable_stats(Stats::RunTime)?;
    let target = mesh.service()?;
    mesh.hooked(true)?;
    let (tcp, udp) = mesh.in_pod(|| Ok((over_tcp(mesh, target, messages)?, over_udp(mesh, target, messages)?)))?;
    mesh.hooked(false)?;
    ensure!((tcp, udp) == (0, 0), "programs ran {tcp} times for TCP and {udp} times for UDP messages");
    Ok(format!("established traffic: {messages} messages over TCP and as many over UDP, programs ran 0 times\n"))
}

fn over_tcp(mesh: &Mesh, target: SocketAddr, messages: u32) -> Result<u64> {
    let listener = TcpListener::bind(("0.0.0.0", TARGET))?;
    thread::spawn(move || io::copy(&mut listener.accept()?.0, &mut io::sink()));
    let mut stream = TcpStream::connect(target)?;
    stream.set_nodelay(true)?;
    let before = mesh.runs()?;
    for _ in 0..messages {
        stream.write_all(b"message")?;
    }
    Ok(mesh.runs()? - before)
}

fn over_udp(mesh: &Mesh, target: SocketAddr, messages: u32) -> Result<u64> {
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
    Ok(mesh.runs()? - before)
}
