//! What stands in pods behind services. Every answer begins with the server's [`Name`], so a client knows who
//! answered.

mod greeting;
mod http;
mod launch;
mod name;
mod stream;
mod udp;

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    sync::mpsc,
    thread,
};

pub use launch::ServerProcess;
pub use name::{NAME_LEN, Name};
use socket2::{Domain, Protocol, Socket, Type};
pub(crate) use stream::{MESSAGE_LEN, message};

use crate::{Error, Result};

/// Where a server listens, on all addresses of both families.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Ports {
    /// HTTP/1.1: any request is answered with the name
    #[arg(long, value_name = "PORT")]
    pub http: Vec<u16>,
    /// TCP: the name at once, then the end
    #[arg(long, value_name = "PORT")]
    pub greeting: Vec<u16>,
    /// TCP: the name at once, then sequence numbers both ways
    #[arg(long, value_name = "PORT")]
    pub stream: Vec<u16>,
    /// UDP: the name and the datagram
    #[arg(long, value_name = "PORT")]
    pub udp: Vec<u16>,
    /// Longest accept queue
    #[arg(long, default_value_t = 4096)]
    pub backlog: i32,
}

impl Default for Ports {
    fn default() -> Self {
        let none = Vec::new;
        Self { http: none(), greeting: none(), stream: none(), udp: none(), backlog: 4096 }
    }
}

/// Binds all ports, calls `ready`, and serves until the process ends. Returns only with an error.
pub fn serve(name: Name, ports: &Ports, ready: impl FnOnce()) -> Result<()> {
    let services = bind(ports)?;
    ready();
    let (ended, ends) = mpsc::channel();
    for (port, service) in services {
        let ended = ended.clone();
        thread::spawn(move || ended.send((port, service.run(name))));
    }
    drop(ended);
    match ends.recv() {
        Ok((port, Err(source))) => Err(Error::Serve { action: "serve", port, source }),
        Ok((_, Ok(()))) | Err(mpsc::RecvError) => Ok(()),
    }
}

fn bind(ports: &Ports) -> Result<Vec<(u16, Service)>> {
    let tcp = |port: u16, of: fn(TcpListener) -> Service| Ok((port, of(listen(port, ports.backlog)?)));
    let greeting = ports.greeting.iter().map(|&port| tcp(port, Service::Greeting));
    let stream = ports.stream.iter().map(|&port| tcp(port, Service::Stream));
    let http = ports.http.iter().map(|&port| tcp(port, Service::Http));
    let udp = ports.udp.iter().map(|&port| Ok((port, Service::Udp(bind_udp(port)?))));
    greeting.chain(stream).chain(http).chain(udp).collect()
}

enum Service {
    Greeting(TcpListener),
    Stream(TcpListener),
    Http(TcpListener),
    Udp(UdpSocket),
}

impl Service {
    fn run(self, name: Name) -> io::Result<()> {
        match self {
            Self::Greeting(listener) => greeting::serve(&listener, name),
            Self::Stream(listener) => stream::serve(&listener, name),
            Self::Http(listener) => http::serve(listener, name),
            Self::Udp(socket) => udp::serve(&socket, name),
        }
    }
}

fn listen(port: u16, backlog: i32) -> Result<TcpListener> {
    let bound = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_only_v6(false)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        socket.listen(backlog)?;
        Ok(socket)
    };
    bound().map(TcpListener::from).map_err(|source| Error::Serve { action: "listen on TCP", port, source })
}

fn bind_udp(port: u16) -> Result<UdpSocket> {
    let bound = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(false)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        Ok(socket)
    };
    bound().map(UdpSocket::from).map_err(|source| Error::Serve { action: "bind UDP", port, source })
}
