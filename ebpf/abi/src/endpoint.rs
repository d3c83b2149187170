use crate::Address;

/// Element of `endpoints`: one workload's membership in one service port. Immutable while a slot refers to
/// it, but for [`Endpoint::service`], which becomes 0 when the endpoint leaves.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Endpoint {
    /// Where the workload listens.
    pub address: Address,
    /// Network byte order.
    pub port: u16,
    /// None defined yet; zero.
    pub flags: u16,
    /// The service id this endpoint belongs to; 0: gone, sessions that remember this record pick anew.
    pub service: u32,
    /// Digest of the workload's uid. It keeps the id stable when user space lost its memory.
    pub workload: u64,
}

const _: () = assert!(size_of::<Endpoint>() == 32);
