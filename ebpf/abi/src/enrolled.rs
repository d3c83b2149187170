use crate::Address;

/// Revision of [`Enrolled`] that this release writes.
pub const ENROLLED_REVISION: u16 = 1;
/// Longest pod name in bytes: a Kubernetes namespace (63), a slash and a pod name (253) fit.
pub const ENROLLED_NAME_MAX: usize = 320;

/// Value of `enrolled`, keyed by network-namespace cookie (u64): a pod whose traffic is balanced. A frozen map: all
/// generations share it, new fields go into `reserve`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enrolled {
    /// [`ENROLLED_REVISION`].
    pub revision: u16,
    /// Bytes of `name` in use.
    pub name_len: u16,
    /// None defined yet; zero.
    pub flags: u32,
    /// The pod's IPv4 address in v4-mapped form; zero if it has none.
    pub ipv4: Address,
    /// The pod's IPv6 address; zero if it has none.
    pub ipv6: Address,
    /// The name it was enrolled under, UTF-8.
    pub name: [u8; ENROLLED_NAME_MAX],
    /// Zero, for later releases.
    pub reserve: [u8; 152],
}

const _: () = assert!(size_of::<Enrolled>() == 512);
