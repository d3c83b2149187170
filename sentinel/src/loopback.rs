#![expect(unsafe_code, reason = "the ioctl that sets an interface up has no safe form")]

use std::{io, mem::zeroed, os::fd::AsRawFd};

use nix::libc::{IFF_UP, SIOCSIFFLAGS, c_short, ifreq, ioctl};
use socket2::{Domain, Socket, Type};

/// Sets the loopback interface of this network namespace up.
pub fn set_up() -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // SAFETY: a structure of integers.
    let mut request: ifreq = unsafe { zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l', b'o'].map(u8::cast_signed));
    request.ifr_ifru.ifru_flags = c_short::try_from(IFF_UP).map_err(io::Error::other)?;
    // SAFETY: the request lives through the call, which reads its name and flags.
    let result = unsafe { ioctl(socket.as_raw_fd(), SIOCSIFFLAGS as _, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
