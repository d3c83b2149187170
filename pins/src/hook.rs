use std::fmt;

use aya_obj::generated::{bpf_attach_type, bpf_prog_type};

/// One program at one attach point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// A socket is released.
    SockRelease,
    /// `getpeername()` on an IPv4 socket.
    GetPeerName4,
    /// `getpeername()` on an IPv6 socket.
    GetPeerName6,
    /// A datagram arrived on an IPv4 socket.
    RecvMsg4,
    /// A datagram arrived on an IPv6 socket; replies to v4-mapped destinations too.
    RecvMsg6,
    /// A datagram with an IPv4 destination; v4-mapped ones too.
    SendMsg4,
    /// A datagram with an IPv6 destination.
    SendMsg6,
    /// `connect()` on an IPv4 socket.
    Connect4,
    /// `connect()` on an IPv6 socket; to v4-mapped destinations too.
    Connect6,
}

impl Hook {
    /// In the order in which they are attached and switched: who reads what another writes comes first.
    pub const ALL: [Self; 9] = [
        Self::SockRelease,
        Self::GetPeerName4,
        Self::GetPeerName6,
        Self::RecvMsg4,
        Self::RecvMsg6,
        Self::SendMsg4,
        Self::SendMsg6,
        Self::Connect4,
        Self::Connect6,
    ];

    /// The program's name, and that of its pins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SockRelease => "sock_release",
            Self::GetPeerName4 => "getpeername4",
            Self::GetPeerName6 => "getpeername6",
            Self::RecvMsg4 => "recvmsg4",
            Self::RecvMsg6 => "recvmsg6",
            Self::SendMsg4 => "sendmsg4",
            Self::SendMsg6 => "sendmsg6",
            Self::Connect4 => "connect4",
            Self::Connect6 => "connect6",
        }
    }

    /// The kernel's `enum bpf_attach_type`.
    pub const fn attach_type(self) -> u32 {
        use bpf_attach_type as t;
        (match self {
            Self::SockRelease => t::BPF_CGROUP_INET_SOCK_RELEASE,
            Self::GetPeerName4 => t::BPF_CGROUP_INET4_GETPEERNAME,
            Self::GetPeerName6 => t::BPF_CGROUP_INET6_GETPEERNAME,
            Self::RecvMsg4 => t::BPF_CGROUP_UDP4_RECVMSG,
            Self::RecvMsg6 => t::BPF_CGROUP_UDP6_RECVMSG,
            Self::SendMsg4 => t::BPF_CGROUP_UDP4_SENDMSG,
            Self::SendMsg6 => t::BPF_CGROUP_UDP6_SENDMSG,
            Self::Connect4 => t::BPF_CGROUP_INET4_CONNECT,
            Self::Connect6 => t::BPF_CGROUP_INET6_CONNECT,
        }) as u32
    }

    /// The kernel's `enum bpf_prog_type`.
    pub const fn program_type(self) -> u32 {
        (match self {
            Self::SockRelease => bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK,
            _ => bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
        }) as u32
    }

    /// The hook of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
