use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use super::Name;

/// A message of a stream: the sender's count, then the last count it has received.
pub(crate) const MESSAGE_LEN: usize = 16;

/// Encodes a message.
pub(crate) fn message(sent: u64, received: u64) -> [u8; MESSAGE_LEN] {
    (u128::from(sent) << 64 | u128::from(received)).to_be_bytes()
}

/// Serves each client on a thread of its own for as long as it stays.
pub(super) fn serve(listener: &TcpListener, name: Name) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept()?;
        thread::spawn(move || answer(client, name));
    }
}

/// Answers the n-th message with its own n-th; hangs up on a message that is not the next one.
fn answer(mut client: TcpStream, name: Name) -> io::Result<()> {
    client.set_nodelay(true)?;
    client.write_all(name.as_bytes())?;
    for count in 1.. {
        let mut received = [0; MESSAGE_LEN];
        client.read_exact(&mut received)?;
        if received != message(count, count - 1) {
            break;
        }
        client.write_all(&message(count, count))?;
    }
    Ok(())
}
