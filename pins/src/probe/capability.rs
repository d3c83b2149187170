use std::io;

/// A privilege that Evermesh uses, by its number in capabilities(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// `CAP_BPF` (kernel 5.8)
    Bpf = 39,
    /// `CAP_NET_ADMIN`
    NetAdmin = 12,
    /// `CAP_PERFMON` (kernel 5.8)
    Perfmon = 38,
    /// `CAP_SYS_ADMIN`
    SysAdmin = 21,
    /// `CAP_SYS_PTRACE`
    SysPtrace = 19,
    /// `CAP_SYS_RESOURCE`
    SysResource = 24,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Bpf, Self::NetAdmin, Self::Perfmon, Self::SysAdmin, Self::SysPtrace, Self::SysResource];

    /// As capabilities(7) names it, in small letters: `cap_bpf`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bpf => "cap_bpf",
            Self::NetAdmin => "cap_net_admin",
            Self::Perfmon => "cap_perfmon",
            Self::SysAdmin => "cap_sys_admin",
            Self::SysPtrace => "cap_sys_ptrace",
            Self::SysResource => "cap_sys_resource",
        }
    }

    /// Those that are effective in this process.
    pub fn held() -> io::Result<Vec<Self>> {
        let status = procfs::process::Process::myself().and_then(|process| process.status());
        let mask = status.map_err(io::Error::other)?.capeff;
        Ok(Self::ALL.into_iter().filter(|capability| mask & 1 << *capability as u32 != 0).collect())
    }
}
