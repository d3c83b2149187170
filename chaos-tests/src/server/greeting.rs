use std::{
    io::{self, Write},
    net::TcpListener,
};

use super::Name;

/// Says its name to whoever connects and hangs up. One thread: as fast as the clients can connect.
pub(super) fn serve(listener: &TcpListener, name: Name) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept()?;
        // Whoever is gone already has counted that on its own side.
        let _ = client.write_all(name.as_bytes());
    }
}
