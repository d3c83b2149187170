/// An IPv6 address, or an IPv4 address in v4-mapped form, as four words in network byte order: the form in
/// which `struct bpf_sock_addr` carries `user_ip6`.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Address(pub [u32; 4]);

const _: () = assert!(size_of::<Address>() == 16);

impl Address {
    /// The third word of every v4-mapped address, in memory order.
    const MAPPED: u32 = u32::from_be(0x0000_ffff);

    /// `ip` is an IPv4 address in network byte order, as `user_ip4` carries it.
    #[inline(always)]
    pub const fn from_ipv4(ip: u32) -> Self {
        Self([0, 0, Self::MAPPED, ip])
    }

    /// The IPv4 address in network byte order; meaningful only where [`Self::is_ipv4`] holds.
    #[inline(always)]
    pub const fn ipv4(self) -> u32 {
        self.0[3]
    }

    /// Whether this is an IPv4 address in v4-mapped form.
    #[inline(always)]
    pub const fn is_ipv4(self) -> bool {
        self.0[0] == 0 && self.0[1] == 0 && self.0[2] == Self::MAPPED
    }

    /// What consistent hashing knows a client by: the same on every node and in every release. Both halves, as big-endian
    /// numbers, through the finalizer of MurmurHash3.
    #[inline(always)]
    pub const fn client_hash(self) -> u64 {
        mix(mix(half(self.0[0], self.0[1])) ^ half(self.0[2], self.0[3]))
    }

    /// The sixteen bytes as they go over the wire.
    pub const fn octets(self) -> [u8; 16] {
        let mut out = [0; 16];
        let mut word = 0;
        while word < 4 {
            let bytes = self.0[word].to_ne_bytes();
            let mut byte = 0;
            while byte < 4 {
                out[word * 4 + byte] = bytes[byte];
                byte += 1;
            }
            word += 1;
        }
        out
    }
}

#[inline(always)]
const fn half(high: u32, low: u32) -> u64 {
    (u32::from_be(high) as u64) << 32 | u32::from_be(low) as u64
}

#[inline(always)]
const fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

impl From<core::net::IpAddr> for Address {
    fn from(ip: core::net::IpAddr) -> Self {
        let octets = match ip {
            core::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            core::net::IpAddr::V6(v6) => v6.octets(),
        };
        let word = |i: usize| u32::from_ne_bytes([octets[i], octets[i + 1], octets[i + 2], octets[i + 3]]);
        Self([word(0), word(4), word(8), word(12)])
    }
}

impl From<Address> for core::net::IpAddr {
    /// The address in its canonical form: a v4-mapped one comes back as IPv4.
    fn from(address: Address) -> Self {
        core::net::Ipv6Addr::from(address.octets()).to_canonical()
    }
}
