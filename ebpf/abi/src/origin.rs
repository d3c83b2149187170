use crate::Address;

/// Revision of [`Origin`] and [`UdpOrigin`] that this release writes.
pub const ORIGIN_REVISION: u16 = 1;
/// [`Origin::flags`]: the socket is connected through a service.
pub const ORIGIN_CONNECTED: u16 = 1;

/// Value of `origins` (key: the socket's cookie): what the application asked for on this socket. A frozen map.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// [`ORIGIN_REVISION`].
    pub revision: u16,
    /// [`ORIGIN_CONNECTED`] or 0.
    pub flags: u16,
    /// Network byte order.
    pub frontend_port: u16,
    /// Network byte order.
    pub backend_port: u16,
    /// The virtual IP the application connected to.
    pub frontend: Address,
    /// Where the connection really went.
    pub backend: Address,
    /// Service id at the time of connecting.
    pub service: u32,
    /// Endpoint id at the time of connecting.
    pub endpoint: u32,
    /// How many [`UdpOrigin`] rings entries this socket ever took; the ring index is this modulo
    /// [`UDP_ORIGINS_PER_SOCKET`].
    pub udp_origins: u64,
    /// Zero, for later releases.
    pub reserve: [u64; 5],
}

const _: () = assert!(size_of::<Origin>() == 96);

/// How many (service, backend) pairs one unconnected UDP socket is remembered for; the oldest makes room.
pub const UDP_ORIGINS_PER_SOCKET: u64 = 1024;

/// What a [`UdpOriginKey`] leads from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum UdpOriginKind {
    /// From the virtual IP and port: which backend this socket uses for it.
    Frontend = 1,
    /// From the backend and port: which virtual IP a reply must seem to come from.
    Backend = 2,
    /// From the ring index (in the address's first word): which pair stands there, so that the entries can be deleted when the socket is
    /// released.
    Index = 3,
}

/// Key of `udp_origins`, the frozen map for unconnected UDP sockets.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpOriginKey {
    /// Socket cookie.
    pub socket: u64,
    /// By [`UdpOriginKind`].
    pub address: Address,
    /// Network byte order; 0 for [`UdpOriginKind::Index`].
    pub port: u16,
    /// [`UdpOriginKind`] as a number.
    pub kind: u8,
    /// Always zero.
    pub pad: [u8; 5],
}

const _: () = assert!(size_of::<UdpOriginKey>() == 32);

/// Value of `udp_origins`: one (service, backend) pair of one socket.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpOrigin {
    /// [`ORIGIN_REVISION`].
    pub revision: u16,
    /// None defined yet; zero.
    pub flags: u16,
    /// Network byte order.
    pub frontend_port: u16,
    /// Network byte order.
    pub backend_port: u16,
    /// The virtual IP the application sent to.
    pub frontend: Address,
    /// Where its datagrams go.
    pub backend: Address,
    /// Service id.
    pub service: u32,
    /// Index into `endpoints`; the record there tells whether the backend is still a member.
    pub endpoint: u32,
    /// Zero, for later releases.
    pub reserve: [u64; 6],
}

const _: () = assert!(size_of::<UdpOrigin>() == 96);
