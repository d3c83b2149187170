use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::net::UnixStream,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{backend::SignalDelivery, exfiltrator::SignalOnly},
};

use crate::{SupervisorError, machine::Event};

/// The signals that users send to a supervisor, as events.
#[derive(Debug)]
pub struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    /// From now on they do not end the process any more.
    pub fn catch() -> Result<Self, SupervisorError> {
        deliver().map(Self).map_err(|source| SupervisorError::Signals { source })
    }

    /// Those that have arrived.
    pub fn pending(&mut self) -> Vec<Event> {
        let event = |signal| if signal == SIGHUP { Event::Reload } else { Event::Terminate };
        self.0.pending().map(event).collect()
    }
}

fn deliver() -> io::Result<SignalDelivery<UnixStream, SignalOnly>> {
    let (read, write) = UnixStream::pair()?;
    SignalDelivery::with_pipe(read, write, SignalOnly, [SIGTERM, SIGINT, SIGHUP])
}

/// Readable when one has arrived.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}
