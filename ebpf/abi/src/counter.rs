/// Index into `counters`, a per-CPU array of u64 that belongs to its generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Counter {
    /// A destination was translated to an endpoint.
    Translated = 0,
    /// A service without endpoints refused.
    RefusedEmpty = 1,
    /// A known virtual IP was asked for a port it does not have.
    RefusedPort = 2,
    /// A slot or record that should stand was missing: a defect; refused.
    Hole = 3,
    /// A look-up was handed another key's element and was repeated.
    Retried = 4,
    /// The origin of an unconnected UDP flow could not be remembered; the send failed with ENOBUFS.
    OriginsFull = 5,
    /// The lease was over: a flow to a service was left alone.
    Stale = 6,
    /// A flow to a service port that is left alone.
    LeftAlone = 7,
    /// A bridge could not write an entry to the map beside the primary: that map is not complete.
    NotMirrored = 8,
    /// A flow, or a datagram with an address of its own, to what is no virtual IP: a workload's own address, or the world.
    Elsewhere = 9,
}

impl Counter {
    /// Elements of `counters`.
    pub const LEN: u32 = 16;
    /// All that have a name, in index order, with the name under which they are shown.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Translated, "translated"),
        (Self::RefusedEmpty, "refused_no_endpoints"),
        (Self::RefusedPort, "refused_unknown_port"),
        (Self::Hole, "holes"),
        (Self::Retried, "retried"),
        (Self::OriginsFull, "origins_full"),
        (Self::Stale, "stale"),
        (Self::LeftAlone, "left_alone"),
        (Self::NotMirrored, "not_mirrored"),
        (Self::Elsewhere, "elsewhere"),
    ];
}
