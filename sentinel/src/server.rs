use std::{
    io::{self, Write as _},
    net::{TcpListener, UdpSocket},
    thread,
};

use crate::place::{VIRTUAL, target};

/// What it answers: whoever hears anything else is somewhere else.
pub const GREETING: &[u8; 8] = b"sentinel";

/// Answers by both families, over TCP and UDP, until the process ends.
pub fn start() -> io::Result<()> {
    for virtual_ip in VIRTUAL {
        let listener = TcpListener::bind(target(virtual_ip))?;
        let socket = UdpSocket::bind(target(virtual_ip))?;
        thread::Builder::new().spawn(move || greet(&listener))?;
        thread::Builder::new().spawn(move || answer(&socket))?;
    }
    Ok(())
}

/// Whoever hangs up early sees that itself.
fn greet(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        let _gone = (&stream).write_all(GREETING);
    }
}

fn answer(socket: &UdpSocket) {
    let mut asked = [0; 16];
    while let Ok((_, from)) = socket.recv_from(&mut asked) {
        let _gone = socket.send_to(GREETING, from);
    }
}
