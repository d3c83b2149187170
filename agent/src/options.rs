use std::path::PathBuf;

use clap::{Parser, value_parser};
use evermesh_handover::errand::ACCEPT_LOSS;
use evermesh_loader::TableSizes;
use evermesh_pins::Table;

use crate::{XdsOptions, hands::HEARTBEAT_EVERY};

/// Keeps the kernel's tables as the mesh's configuration says. Started by evermesh-supervisor, by systemd or by hand;
/// ending it changes nothing for traffic
#[derive(Clone, Debug, Parser)]
#[command(name = "evermesh-agent", version)]
pub struct Options {
    /// The mesh: a YAML file, or a directory of them
    #[arg(long, value_name = "PATH", required_unless_present = "xds_address")]
    pub config: Option<PathBuf>,
    /// Istio's control plane, instead of files
    #[command(flatten)]
    pub xds: XdsOptions,
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
    /// Name of this node: services that prefer places take its place from the workloads on it [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// How long this agent may be silent before traffic to services is left alone, in milliseconds, 5000 or more; 0: for ever
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = Options::lease)]
    pub lease_ms: u64,
    /// For how long, at the least, it is looked how flows fare before other programs or tables follow, which are judged by that
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = value_parser!(u64).range(0..=10_000))]
    pub baseline_ms: u64,
    /// Room for so many service ports, counted once for each address family
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_services: Option<u32>,
    /// Room for so many endpoints: workloads behind service ports
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_endpoints: Option<u32>,
    /// Room for what so many sockets asked for; where it is full, the one longest unused makes room
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1024..))]
    pub max_origins: Option<u32>,
    /// The same for unconnected UDP: three for each service that a socket talks to
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1024..))]
    pub max_udp_origins: Option<u32>,
    /// Room for so many enrolled pods
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(16..))]
    pub max_pods: Option<u32>,
    /// Kernel programs that take the place of those built in: a directory with the objects of a release, or its current one
    #[arg(long, value_name = "PATH", env = "EVERMESH_PROGRAMS", hide = true)]
    pub programs: Option<PathBuf>,
    /// This release is on trial: where its programs cannot take over it ends, instead of going on with what stands
    #[arg(long, env = "EVERMESH_CANDIDATE", hide = true)]
    pub candidate: bool,
    /// Maps that may be replaced without what stands in them, where nothing can carry it over
    #[arg(long, value_name = "MAP", value_delimiter = ',', value_parser = Table::to_lose, env = ACCEPT_LOSS)]
    pub accept_loss: Vec<Table>,
}

impl Options {
    /// Parses a lease. One that is shorter than a few heartbeats would end by itself.
    pub fn lease(text: &str) -> Result<u64, String> {
        let shortest = 5 * u64::try_from(HEARTBEAT_EVERY.as_millis()).unwrap_or(u64::MAX);
        match text.parse() {
            Ok(lease) if lease == 0 || lease >= shortest => Ok(lease),
            Ok(_) => {
                Err(format!("write 0, or {shortest} or more: the heartbeat comes every {HEARTBEAT_EVERY:?}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// This node's name; empty where it has none.
    pub fn node(&self) -> String {
        let host = || nix::unistd::gethostname().ok()?.into_string().ok();
        self.node.clone().or_else(host).unwrap_or_default()
    }

    /// How large the tables are to be.
    pub fn sizes(&self) -> TableSizes {
        let default = TableSizes::default();
        TableSizes {
            services: self.max_services.unwrap_or(default.services),
            endpoints: self.max_endpoints.unwrap_or(default.endpoints),
            origins: self.max_origins.unwrap_or(default.origins),
            udp_origins: self.max_udp_origins.unwrap_or(default.udp_origins),
            pods: self.max_pods.unwrap_or(default.pods),
        }
    }
}
