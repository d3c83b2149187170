use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use evermesh_chaos_tests::netns::Netns;

/// Longer than a program that is well takes to say so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the program that listens at `address` in a network namespace says at `path` that it is well.
pub(crate) fn is_well(netns: &Netns, address: SocketAddr, path: &str) -> bool {
    netns.enter(|| Ok(ask(address, path))).is_ok_and(|answer| answer.unwrap_or(false))
}

fn ask(address: SocketAddr, path: &str) -> io::Result<bool> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.0 200"))
}
