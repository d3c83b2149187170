use std::{fs, io, path::Path};

use procfs::{ConfigSetting, Current as _, KernelConfig, Meminfo};

/// Whether the kernel describes its own types.
pub fn has_btf() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// Whether programs are compiled to machine code.
pub fn jits() -> io::Result<bool> {
    fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").map(|text| text.trim() != "0")
}

/// Whether the kernel was built with an option, as a module too: from `/proc/config.gz` or `/boot/config-RELEASE`. An
/// error: neither can be read.
pub fn is_configured(option: &str) -> io::Result<bool> {
    let options = KernelConfig::current().map_err(io::Error::other)?.0;
    Ok(matches!(options.get(option), Some(ConfigSetting::Yes | ConfigSetting::Module)))
}

/// Memory of this host, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostMemory {
    /// What could be used without swapping.
    pub available: u64,
    /// Swap space.
    pub swap: u64,
}

impl HostMemory {
    /// From `/proc/meminfo`.
    pub fn now() -> io::Result<Self> {
        let memory = Meminfo::current().map_err(io::Error::other)?;
        let available = memory.mem_available;
        let available = available.ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))?;
        Ok(Self { available, swap: memory.swap_total })
    }
}
