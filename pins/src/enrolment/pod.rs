use std::net::IpAddr;

use evermesh_abi::{Address, ENROLLED_NAME_MAX, ENROLLED_REVISION, Enrolled};

use crate::sys::{self, NamespaceCookie, PodNetwork};

/// An enrolled pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The name it was enrolled under.
    pub name: String,
    /// Its network namespace.
    pub cookie: NamespaceCookie,
    /// Its addresses when it was enrolled.
    pub addresses: PodAddresses,
}

/// At most one address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodAddresses {
    /// IPv4.
    pub ipv4: Option<IpAddr>,
    /// IPv6.
    pub ipv6: Option<IpAddr>,
}

impl Pod {
    /// A network namespace under that name.
    pub fn new(name: &str, network: &PodNetwork) -> Self {
        let first = |v4: bool| network.addresses.iter().copied().find(|address| address.is_ipv4() == v4);
        let addresses = PodAddresses { ipv4: first(true), ipv6: first(false) };
        Self { name: name.to_owned(), cookie: network.cookie, addresses }
    }

    /// What stands in the map, in this release's layout.
    pub(super) fn value(&self) -> Enrolled {
        let address = |ip: Option<IpAddr>| ip.map(Address::from).unwrap_or_default();
        let mut value = Enrolled {
            revision: ENROLLED_REVISION,
            name_len: u16::try_from(self.name.len()).unwrap_or(u16::MAX),
            ipv4: address(self.addresses.ipv4),
            ipv6: address(self.addresses.ipv6),
            ..sys::zeroed()
        };
        value.name[..self.name.len()].copy_from_slice(self.name.as_bytes());
        value
    }

    pub(super) fn of(cookie: u64, value: &Enrolled) -> Self {
        let name = &value.name[..usize::from(value.name_len).min(ENROLLED_NAME_MAX)];
        let address = |a: Address| (a != Address::default()).then(|| IpAddr::from(a));
        Self {
            name: String::from_utf8_lossy(name).into_owned(),
            cookie: NamespaceCookie(cookie),
            addresses: PodAddresses { ipv4: address(value.ipv4), ipv6: address(value.ipv6) },
        }
    }
}
