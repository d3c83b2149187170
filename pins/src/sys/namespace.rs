use std::{
    fs::File,
    io,
    net::IpAddr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, setns};

/// The kernel's number for a network namespace, never used again until reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceCookie(pub u64);

impl NamespaceCookie {
    /// Of the network namespace behind `path`, looked into from a thread of its own.
    pub fn of(path: &Path) -> io::Result<Self> {
        inside(path, Self::here)
    }

    /// Of the network namespace that the calling thread is in: `SO_NETNS_COOKIE` (kernel 5.14) of a socket made there.
    pub fn here() -> io::Result<Self> {
        cookie()
    }
}

/// What must be known of a pod's network to enrol it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodNetwork {
    /// The namespace.
    pub cookie: NamespaceCookie,
    /// Its addresses, without loopback and link-local ones.
    pub addresses: Vec<IpAddr>,
}

impl PodNetwork {
    /// Looks into the network namespace behind `path`, such as `/run/netns/NAME` or `/proc/PID/ns/net`, from a
    /// thread of its own.
    pub fn of(path: &Path) -> io::Result<Self> {
        inside(path, || Ok(Self { cookie: NamespaceCookie::here()?, addresses: addresses()? }))
    }
}

/// Runs `look` in the network namespace behind `path`, on a thread of its own that ends with it.
pub fn inside<T: Send>(path: &Path, look: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = File::open(path)?;
    let entered =
        || setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from).and_then(|()| look());
    thread::scope(|scope| {
        let looking = thread::Builder::new().spawn_scoped(scope, entered)?;
        looking.join().map_err(|_| io::Error::other("the thread that looked into the namespace panicked"))?
    })
}

fn cookie() -> io::Result<NamespaceCookie> {
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let (mut cookie, mut len) = (0u64, 8u32);
    // SAFETY: `cookie` is writable for `len` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(NamespaceCookie(cookie)) }
}

fn addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    Ok(interfaces.filter_map(|interface| address(&interface)).filter(is_routable).collect())
}

fn address(interface: &nix::ifaddrs::InterfaceAddress) -> Option<IpAddr> {
    let address = interface.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

fn is_routable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}
