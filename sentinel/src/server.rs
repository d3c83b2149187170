use std::{
    io::{self, Write as _},
    net::{IpAddr, TcpListener, UdpSocket},
    time::Duration,
};

use socket2::SockRef;

use crate::place::{VIRTUAL, target};

/// What it answers: whoever hears anything else is somewhere else.
pub const GREETING: &[u8; 8] = b"sentinel";
/// Everything happens on this machine.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Where the virtual IPs lead, by TCP and UDP. It answers when it is told to, on the thread that has asked, so that nobody
/// waits for a processor.
#[derive(Debug)]
pub struct Server {
    stream: TcpListener,
    datagram: UdpSocket,
}

impl Server {
    /// One for each virtual IP.
    pub fn all() -> io::Result<Vec<(IpAddr, Self)>> {
        let listen = |virtual_ip| {
            let stream = TcpListener::bind(target(virtual_ip))?;
            // Which an accept(2) heeds too.
            SockRef::from(&stream).set_read_timeout(Some(PATIENCE))?;
            let datagram = UdpSocket::bind(target(virtual_ip))?;
            datagram.set_read_timeout(Some(PATIENCE))?;
            Ok((virtual_ip, Self { stream, datagram }))
        };
        VIRTUAL.into_iter().map(listen).collect()
    }

    /// Greets the connection that was made last: the client may have it a moment before it is here.
    pub fn greet(&self) -> io::Result<()> {
        let (mut stream, _) = self.stream.accept()?;
        stream.write_all(GREETING)
    }

    /// Answers a datagram.
    pub fn answer(&self) -> io::Result<()> {
        let (_, from) = self.datagram.recv_from(&mut [0; 16])?;
        self.datagram.send_to(GREETING, from).map(drop)
    }
}
