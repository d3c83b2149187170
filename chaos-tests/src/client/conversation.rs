use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::{
    Outcome,
    expectation::{Answered, Failure},
    greeting::read_name,
    probe::tcp_socket,
};
use crate::server::{MESSAGE_LEN, Name, message};

/// A TCP connection that lives long. Every step consumes it: after a failure it is over.
pub(super) struct Conversation {
    stream: TcpStream,
    server: Name,
    count: u64,
}

impl Conversation {
    /// Connects and reads the name.
    pub(super) fn begin(target: SocketAddr) -> Result<Self, Failure> {
        let socket = tcp_socket(target)?;
        socket.set_tcp_nodelay(true).map_err(Failure::of("setsockopt"))?;
        socket.connect(&target.into()).map_err(Failure::of("connect"))?;
        let mut stream = TcpStream::from(socket);
        let server: Answered = read_name(&mut stream, target);
        Ok(Self { stream, server: server?, count: 0 })
    }

    /// Sends the next message; the answer must be the next one too.
    pub(super) fn go_on(mut self) -> Result<Self, Failure> {
        self.count += 1;
        self.stream.write_all(&message(self.count, self.count - 1)).map_err(Failure::of("send"))?;
        let mut answer = [0; MESSAGE_LEN];
        self.stream.read_exact(&mut answer).map_err(Failure::of("recv"))?;
        if answer != message(self.count, self.count) {
            return Err(Failure::Wrong(Outcome::WrongData));
        }
        Ok(self)
    }

    pub(super) fn server(&self) -> Name {
        self.server
    }
}
