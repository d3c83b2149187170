use std::net::IpAddr;

/// Why an address can stand neither for a service nor for a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAddress {
    /// 0.0.0.0 or `::`.
    #[error("it is the unspecified address, which names no host")]
    Unspecified,
    /// 224.0.0.0/4 or ff00::/8.
    #[error("it is a multicast address, which cannot be balanced")]
    Multicast,
    /// 255.255.255.255.
    #[error("it is the broadcast address, which cannot be balanced")]
    Broadcast,
    /// `::ffff:a.b.c.d`. Sockets of both families meet such an address as the IPv4 address inside it, so
    /// two spellings of one address would look like two.
    #[error("it is an IPv4 address in IPv6 spelling: write the IPv4 address")]
    V4Mapped,
}

impl UnusableAddress {
    /// What is wrong with an address, if anything is. Loopback and link-local addresses are fine.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address {
            _ if address.is_unspecified() => Some(Self::Unspecified),
            _ if address.is_multicast() => Some(Self::Multicast),
            IpAddr::V4(v4) if v4.is_broadcast() => Some(Self::Broadcast),
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some(Self::V4Mapped),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unusable_address_has_its_reason() {
        for (text, reason) in [
            ("0.0.0.0", UnusableAddress::Unspecified),
            ("::", UnusableAddress::Unspecified),
            ("224.0.0.251", UnusableAddress::Multicast),
            ("ff02::fb", UnusableAddress::Multicast),
            ("255.255.255.255", UnusableAddress::Broadcast),
            ("::ffff:10.0.0.1", UnusableAddress::V4Mapped),
        ] {
            assert_eq!(UnusableAddress::of(text.parse().unwrap()), Some(reason), "{text}");
        }
    }

    #[test]
    fn ordinary_loopback_and_link_local_addresses_are_fine() {
        for text in ["10.96.0.10", "127.0.0.1", "169.254.1.1", "fd00:96::10", "::1", "fe80::1"] {
            assert_eq!(UnusableAddress::of(text.parse().unwrap()), None, "{text}");
        }
    }
}
