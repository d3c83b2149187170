use std::path::PathBuf;

use clap::{Parser, value_parser};
use evermesh_loader::TableSizes;

/// Keeps the kernel's tables as the mesh's configuration says. Started by evermesh-supervisor, by systemd or by hand;
/// ending it changes nothing for traffic
#[derive(Clone, Debug, Parser)]
#[command(name = "evermesh-agent", version)]
pub struct Options {
    /// The mesh: a YAML file, or a directory of them
    #[arg(long, value_name = "PATH")]
    pub config: PathBuf,
    /// What outlives a reboot: the configuration applied last
    #[arg(long, value_name = "DIR", default_value = "/var/lib/evermesh")]
    pub state_dir: PathBuf,
    /// Where the data path is pinned; must lie in a mounted bpffs
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/evermesh")]
    pub bpffs: PathBuf,
    /// The cgroup (v2) above the pods [default: the root of the hierarchy]
    #[arg(long, value_name = "DIR")]
    pub cgroup: Option<PathBuf>,
    /// Where the admin socket is made
    #[arg(long, value_name = "DIR", default_value = "/run/evermesh")]
    pub run_dir: PathBuf,
    /// Room for so many service ports, counted once for each address family
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_services: Option<u32>,
    /// Room for so many endpoints: workloads behind service ports
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_endpoints: Option<u32>,
}

impl Options {
    /// How large the tables are to be.
    pub fn sizes(&self) -> TableSizes {
        let default = TableSizes::default();
        TableSizes {
            services: self.max_services.unwrap_or(default.services),
            endpoints: self.max_endpoints.unwrap_or(default.endpoints),
        }
    }
}
