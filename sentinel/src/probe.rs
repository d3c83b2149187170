//! One round: what an application can do at each hook, by both families.

use std::{
    io::{self, Read as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsFd,
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    Findings,
    place::{PORT, UNKNOWN_PORT},
    server::{GREETING, PATIENCE, Server},
};

type Seen = Result<Option<u64>, String>;

/// Adds one round to the findings.
pub fn round(servers: &[(IpAddr, Server)], findings: &mut Findings) {
    for (virtual_ip, server) in servers {
        let virtual_ip = *virtual_ip;
        let service = SocketAddr::new(virtual_ip, PORT);
        let family = if virtual_ip.is_ipv4() { 4 } else { 6 };
        findings.take(&format!("connect{family}, getpeername{family}, TCP"), stream(service, server));
        findings.take(&format!("connect{family}, getpeername{family}, UDP"), connected(service, server));
        findings.take(&format!("sendmsg{family}, recvmsg{family}"), unconnected(service, server));
        findings.take(&format!("connect{family} to an unknown port"), refused(virtual_ip));
    }
}

fn stream(service: SocketAddr, server: &Server) -> Seen {
    let mut stream = TcpStream::connect_timeout(&service, PATIENCE).map_err(said("connect"))?;
    server.greet().map_err(said("be heard"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(said("set a time limit"))?;
    let mut heard = [0; GREETING.len()];
    stream.read_exact(&mut heard).map_err(said("read"))?;
    is_greeting(&heard)?;
    is_service(stream.peer_addr(), service)?;
    // No connection that waits for its time-out stays behind: there are only so many ports.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).map_err(said("hang up"))?;
    cookie(&stream)
}

fn connected(service: SocketAddr, server: &Server) -> Seen {
    let socket = udp(service.ip())?;
    socket.connect(service).map_err(said("connect"))?;
    socket.send(b"who").map_err(said("send"))?;
    server.answer().map_err(said("be heard"))?;
    let mut heard = [0; GREETING.len()];
    socket.recv(&mut heard).map_err(said("receive"))?;
    is_greeting(&heard)?;
    is_service(socket.peer_addr(), service)?;
    cookie(&socket)
}

fn unconnected(service: SocketAddr, server: &Server) -> Seen {
    let socket = udp(service.ip())?;
    for _ in 0..2 {
        socket.send_to(b"who", service).map_err(said("send"))?;
        server.answer().map_err(said("be heard"))?;
        let mut heard = [0; GREETING.len()];
        let (_, from) = socket.recv_from(&mut heard).map_err(said("receive"))?;
        is_greeting(&heard)?;
        is_service(Ok(from), service)?;
    }
    cookie(&socket)
}

fn refused(virtual_ip: IpAddr) -> Seen {
    match TcpStream::connect_timeout(&SocketAddr::new(virtual_ip, UNKNOWN_PORT), PATIENCE) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
        Err(error) => Err(format!("is not refused: {error}")),
        Ok(_) => Err("is not refused".to_owned()),
    }
}

fn udp(like: IpAddr) -> Result<UdpSocket, String> {
    let domain = if like.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket: UdpSocket = Socket::new(domain, Type::DGRAM, None).map_err(said("make a socket"))?.into();
    socket.set_read_timeout(Some(PATIENCE)).map_err(said("set a time limit"))?;
    Ok(socket)
}

fn is_greeting(heard: &[u8]) -> Result<(), String> {
    (heard == GREETING).then_some(()).ok_or_else(|| format!("somebody else answers: {heard:02x?}"))
}

fn is_service(shown: io::Result<SocketAddr>, service: SocketAddr) -> Result<(), String> {
    let shown = shown.map_err(said("see the peer"))?;
    (shown == service).then_some(()).ok_or_else(|| format!("the peer is shown as {shown}, not {service}"))
}

fn cookie(socket: &impl AsFd) -> Seen {
    SockRef::from(socket).cookie().map(Some).map_err(said("see the cookie"))
}

fn said(step: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("cannot {step}: {error}")
}
