use std::{
    fs,
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::{Path, PathBuf},
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{self, ControlMessageOwned, MsgFlags, RecvMsg, UnixCredentials, sockopt::PassCred},
};

use super::{DATAGRAM_BYTES_MAX, MalformedNotice, Notice, parse};

/// The receiving end of the notify protocol: a datagram socket in the file system, mode 0600.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

/// Why notifications cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum NotifySocketError {
    /// The socket cannot be made.
    #[error("cannot make the notify socket {path}: {source}; check that the run directory is writable")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The agent sent something else than notifications.
    #[error("the agent's notification is ignored: {0}")]
    Malformed(#[from] MalformedNotice),
    /// The socket cannot be read.
    #[error("cannot receive from the notify socket {path}: {source}")]
    Receive {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl NotifySocket {
    /// Makes the socket, in the place of what a dead process left there. The caller owns the run directory.
    pub fn bind(path: &Path) -> Result<Self, NotifySocketError> {
        match Self::listen(path) {
            Ok(socket) => Ok(Self { socket, path: path.into() }),
            Err(source) => Err(NotifySocketError::Bind { path: path.into(), source }),
        }
    }

    /// The next datagram of process `agent` that has arrived; those of others are dropped. Never waits.
    /// A malformed datagram is an error and is gone: the next call reads the one after it.
    pub fn receive(&self, agent: u32) -> Result<Option<Vec<Notice>>, NotifySocketError> {
        loop {
            match self.receive_any() {
                Ok(datagram) if datagram.sender == Some(agent) => return Ok(Some(datagram.said?)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => {
                    return Err(NotifySocketError::Receive { path: self.path.clone(), source: errno.into() });
                }
            }
        }
    }

    fn listen(path: &Path) -> io::Result<UnixDatagram> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixDatagram::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        socket::setsockopt(&socket, PassCred, &true)?;
        Ok(socket)
    }

    fn receive_any(&self) -> Result<Datagram, Errno> {
        let mut content = [0; DATAGRAM_BYTES_MAX];
        // Room for credentials only: descriptors that somebody attaches are closed by the kernel.
        let mut control = cmsg_space!(UnixCredentials);
        let mut parts = [IoSliceMut::new(&mut content)];
        let received = socket::recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let (bytes, cut) = (received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC));
        let sender = sender(&received);
        let said = if cut { Err(MalformedNotice::TooLong) } else { parse(&content[..bytes]) };
        Ok(Datagram { sender, said })
    }
}

struct Datagram {
    sender: Option<u32>,
    said: Result<Vec<Notice>, MalformedNotice>,
}

fn sender(received: &RecvMsg<'_, '_, ()>) -> Option<u32> {
    received.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmCredentials(credentials) => u32::try_from(credentials.pid()).ok(),
        _ => None,
    })
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn hears_its_agent_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify.sock");
        let socket = NotifySocket::bind(&path).unwrap();
        assert_eq!(socket.receive(process::id()).unwrap(), None);

        let agent = UnixDatagram::unbound().unwrap();
        agent.send_to(b"READY=1", &path).unwrap();
        assert_eq!(socket.receive(1).unwrap(), None);

        agent.send_to(b"READY=1", &path).unwrap();
        agent.send_to(&[b'x'; DATAGRAM_BYTES_MAX + 1], &path).unwrap();
        agent.send_to(b"STOPPING=1", &path).unwrap();
        assert_eq!(socket.receive(process::id()).unwrap(), Some(vec![Notice::Ready]));
        assert!(matches!(
            socket.receive(process::id()),
            Err(NotifySocketError::Malformed(MalformedNotice::TooLong))
        ));
        assert_eq!(socket.receive(process::id()).unwrap(), Some(vec![Notice::Stopping]));
    }

    #[test]
    fn is_for_the_owner_only_and_replaces_a_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify.sock");
        fs::write(&path, "left by a dead process").unwrap();
        let _socket = NotifySocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_place_where_it_cannot_be_is_named() {
        let error = NotifySocket::bind(Path::new("/proc/no-such-place/notify.sock")).unwrap_err();
        insta::assert_snapshot!(error, @"cannot make the notify socket /proc/no-such-place/notify.sock: No such file or directory (os error 2); check that the run directory is writable");
    }
}
