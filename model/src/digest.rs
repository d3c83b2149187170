use xxhash_rust::xxh3::Xxh3;

use crate::ServiceKey;

/// A 64-bit name for something whose full name does not fit into a kernel table. Never zero. XXH3, so it is
/// the same in every release and on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(u64);

impl Digest {
    /// Of one port of a service in one address family (4 or 6): what the kernel knows as a service.
    pub fn of_service_port(service: &ServiceKey, port: u16, family: u8) -> Self {
        let mut hash = Xxh3::new();
        for part in [service.namespace.as_bytes(), b"/", service.hostname.as_bytes(), b":"] {
            hash.update(part);
        }
        hash.update(&port.to_be_bytes());
        hash.update(&[family]);
        Self::non_zero(hash.digest())
    }

    /// Of a workload: [`WorkloadUid::digest`](crate::WorkloadUid::digest).
    pub(crate) fn of_workload(uid: &str) -> Self {
        Self::non_zero(xxhash_rust::xxh3::xxh3_64(uid.as_bytes()))
    }

    /// The number that stands in the tables.
    pub fn get(self) -> u64 {
        self.0
    }

    fn non_zero(hash: u64) -> Self {
        Self(hash.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    /// They stand in pinned tables: another value would orphan what an older release wrote.
    #[test]
    fn values_are_the_same_in_every_release() {
        assert_eq!(Digest::of_workload("w1").get(), 11_124_069_433_109_603_754);
        assert_eq!(Digest::of_service_port(&samples::key("web"), 80, 4).get(), 1_221_100_477_464_139_004);
    }

    #[test]
    fn port_family_and_name_each_make_a_difference() {
        let web = Digest::of_service_port(&samples::key("web"), 80, 4);
        assert_ne!(web, Digest::of_service_port(&samples::key("web"), 81, 4));
        assert_ne!(web, Digest::of_service_port(&samples::key("web"), 80, 6));
        assert_ne!(web, Digest::of_service_port(&samples::key("api"), 80, 4));
    }
}
