use std::{io, net::UdpSocket};

use super::{NAME_LEN, Name};

/// Longest datagram that is answered, in bytes.
const DATAGRAM_MAX: usize = 1024;

/// Sends each datagram back, its name in front.
pub(super) fn serve(socket: &UdpSocket, name: Name) -> io::Result<()> {
    let mut buffer = [0; NAME_LEN + DATAGRAM_MAX];
    buffer[..NAME_LEN].copy_from_slice(name.as_bytes());
    loop {
        match socket.recv_from(&mut buffer[NAME_LEN..]) {
            Ok((len, client)) => {
                // Whoever is gone already has counted that on its own side.
                let _ = socket.send_to(&buffer[..NAME_LEN + len], client);
            }
            // An answer to somebody gone came back as an ICMP error.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(e) => return Err(e),
        }
    }
}
