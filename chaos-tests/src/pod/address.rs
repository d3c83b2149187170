use std::net::{Ipv4Addr, Ipv6Addr};

/// Of the node.
pub(super) const NODE: u16 = 1;

/// First addresses of the pods' networks, 10.244.0.0/16 and fd00:244::/64.
const FIRST_V4: u32 = 0x0af4_0000;
const FIRST_V6: u128 = 0xfd00_0244 << 96;

pub(super) fn v4(number: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST_V4 + u32::from(number))
}

pub(super) fn v6(number: u16) -> Ipv6Addr {
    Ipv6Addr::from_bits(FIRST_V6 + u128::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_number() {
        assert_eq!(v4(259).to_string(), "10.244.1.3");
        assert_eq!(v6(259).to_string(), "fd00:244::103");
    }
}
