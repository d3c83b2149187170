use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};
use evermesh_agent::{Options, Unsupported};
use evermesh_handover::RunDir;
use evermesh_pins::{PinDir, Table};
use evermesh_xds_cache::client::Address;

use crate::output::Output;

/// Sidecarless service mesh: services balanced in the kernel, at connect().
#[derive(Debug, Parser)]
#[command(name = "evermesh", version, arg_required_else_help = true)]
pub struct Arguments {
    /// How results are written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
    /// The same as `--output json`
    #[arg(long, global = true, conflicts_with = "output")]
    pub json: bool,
    #[command(flatten)]
    pub directories: Directories,
    #[command(subcommand)]
    pub command: Command,
}

/// Where things are. Every command takes them, so that one set of flags serves a whole script.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Directories")]
pub struct Directories {
    /// What outlives a reboot: the configuration applied last
    #[arg(long, global = true, value_name = "DIR", default_value = "/var/lib/evermesh")]
    pub state_dir: PathBuf,
    /// Where the data path is pinned; must lie in a mounted bpffs
    #[arg(long, global = true, value_name = "DIR", default_value = "/sys/fs/bpf/evermesh")]
    pub bpffs: PathBuf,
    /// The cgroup (v2) above the pods [default: the root of the hierarchy]
    #[arg(long, global = true, value_name = "DIR")]
    pub cgroup: Option<PathBuf>,
    /// What lives as long as the processes do: sockets, lock, state
    #[arg(long, global = true, value_name = "DIR", default_value = "/run/evermesh")]
    pub run_dir: PathBuf,
}

impl Arguments {
    /// How results are written.
    pub fn output(&self) -> Output {
        if self.json { Output::Json } else { self.output }
    }
}

impl Directories {
    pub fn pins(&self) -> PinDir {
        PinDir::new(&self.bpffs)
    }

    pub fn run(&self) -> RunDir {
        RunDir::new(&self.run_dir)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the mesh on this node, in the foreground. Ending it keeps the data path
    Run(Box<Run>),
    /// Say which pods are balanced
    #[command(subcommand)]
    Pod(Pod),
    /// Show how Evermesh is on this node; exits with 3 when something needs attention
    Status,
    /// Show what this kernel and host offer, what is missing and what that costs; exits with 78 when Evermesh cannot run
    Doctor(Room),
    /// Show what stands in the kernel's tables, where pods' sockets lead, or what is known of the control plane
    #[command(subcommand)]
    Dump(Dump),
    /// Look at the configuration
    #[command(subcommand)]
    Config(Config),
    /// Try another release, newer or older, under traffic; exits with 1 when the one before runs again
    Upgrade(Upgrade),
    /// Stop Evermesh and remove its data path: traffic is no longer balanced
    Uninstall {
        /// Remove what is in the state directory too
        #[arg(long)]
        purge: bool,
    },
}

/// Which release is tried, or what is shown of releases.
#[derive(Debug, Args)]
pub struct Upgrade {
    /// The release: a directory with the three programs, or one of them
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// How often its agent may be started before the trial ends
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=10))]
    pub tries: u32,
    /// Maps that may be replaced without what stands in them, where nothing can carry it over; `upgrade plan` says what that costs
    #[arg(long, global = true, value_name = "MAP", value_delimiter = ',', value_parser = Table::to_lose)]
    pub accept_loss: Vec<Table>,
    #[command(subcommand)]
    pub look: Option<Look>,
}

#[derive(Debug, Subcommand)]
pub enum Look {
    /// Show what is committed, what was before, and what is tried
    Status,
    /// Show what became of the last trials
    History,
    /// Try the release that was committed before
    Rollback {
        /// How often its agent may be started before the trial ends
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=10))]
        tries: u32,
    },
    /// Show what trying a release would meet; changes nothing, exits with 1 when it cannot be tried
    Plan {
        /// The release: a directory with the three programs, or one of them
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
}

/// What `run` is told, and hands on.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Run {
    /// The mesh: a YAML file, or a directory of them; read again when it changes
    #[arg(long, value_name = "PATH", required_unless_present = "xds_address")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub control_plane: ControlPlane,
    /// How long the agent may be silent before it is replaced, in milliseconds
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub watchdog_ms: Option<u64>,
    /// How long traffic must have run on new programs or tables before they stay, in milliseconds
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub gate_ms: Option<u64>,
    /// By how much the share of flows that fail may grow on them, in parts per thousand
    #[arg(long, value_name = "N")]
    pub gate_failures_permille: Option<u64>,
    /// For how long, at the least, the agent looks how flows fare before other programs or tables follow, in milliseconds
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(0..=10_000))]
    pub baseline_ms: Option<u64>,
    /// How long the agent of a release on trial must have been ready before the release is committed, in milliseconds
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub trial_gate_ms: Option<u64>,
    /// How long the agent may take to become ready, in milliseconds
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub start_timeout_ms: Option<u64>,
    #[command(flatten)]
    pub room: Room,
    #[command(flatten)]
    pub this_node: ThisNode,
    /// If this release takes over or is tried because it is started: maps that may be replaced without what stands in them, where
    /// nothing can carry it over
    #[arg(long, value_name = "MAP", value_delimiter = ',', value_parser = Table::to_lose)]
    pub accept_loss: Vec<Table>,
    /// Take over from the supervisor that runs, which takes back if this one does not get ready
    #[arg(long)]
    pub takeover: bool,
    /// What is logged, such as `info` or `warn,evermesh_agent=debug`
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

/// Istio's control plane; what is not said is the agent's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ControlPlane {
    /// Istio's control plane, instead of files: HOST:PORT for TLS, http://HOST:PORT for plain text
    #[arg(long, value_name = "ADDRESS", env = "XDS_ADDRESS", conflicts_with = "config")]
    pub xds_address: Option<Address>,
    /// Certificates that vouch for it [default: /var/run/secrets/istio/root-cert.pem if it is there, else the system's]
    #[arg(long, value_name = "FILE", requires = "xds_address")]
    pub xds_root: Option<PathBuf>,
    /// A bearer token for it, read at each connection [default: /var/run/secrets/tokens/istio-token if it is there]
    #[arg(long, value_name = "FILE", requires = "xds_address")]
    pub xds_token: Option<PathBuf>,
    /// Name of this node's network, as Istio knows it
    #[arg(long, value_name = "NAME", requires = "xds_address")]
    pub network: Option<String>,
    /// Name of this node's cluster, as Istio knows it [default: Kubernetes]
    #[arg(long, value_name = "NAME", requires = "xds_address")]
    pub cluster_id: Option<String>,
    /// Which name servers are asked where hostnames lead that stand for workloads [default: /etc/resolv.conf]
    #[arg(long, value_name = "FILE", requires = "xds_address")]
    pub resolv_conf: Option<PathBuf>,
    /// Traffic for which the control plane asks for what cannot be done, such as a waypoint: let it pass, or refuse it
    #[arg(long, value_name = "WHAT", value_parser = ["warn", "refuse"], requires = "xds_address")]
    pub on_unsupported: Option<String>,
}

/// What this node is; what is not said is the agent's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ThisNode {
    /// Name of this node: services that prefer places take its place from the workloads on it [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// How long the agent may be silent before traffic to services is left alone, in milliseconds, 5000 or more; 0: for ever
    #[arg(long, value_name = "MS", value_parser = Options::lease)]
    pub lease_ms: Option<u64>,
}

/// How large the tables are to be; what is not said is the agent's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Room {
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
}

#[derive(Debug, Subcommand)]
pub enum Pod {
    /// Enrol a pod: its traffic to services is balanced from now on
    Add {
        /// The name to know it by
        name: String,
        #[command(flatten)]
        namespace: PodNamespace,
    },
    /// Remove a pod: its connections go on, new ones are not balanced
    Remove {
        /// The name it was enrolled under
        name: String,
    },
    /// List the pods that are enrolled
    List,
}

/// How a pod's network namespace is named.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PodNamespace {
    /// Its network namespace: a path, or a name in /run/netns
    #[arg(long, value_name = "NAME-OR-PATH")]
    pub netns: Option<PathBuf>,
    /// A process inside it
    #[arg(long, value_parser = value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum Dump {
    /// Service ports, their virtual IPs and how many endpoints they have
    Services,
    /// Endpoints, service port by service port
    Endpoints,
    /// Workloads and the service ports they stand behind
    Workloads,
    /// Where the sockets of enrolled pods lead: through which service, or to whom past all of them
    Flows,
    /// Everything that the control plane said and this node knows; without an agent, what is kept on disk
    Xds {
        /// Show those with this in their names
        name: Option<String>,
        #[command(flatten)]
        as_run: AsRun,
    },
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Compare what the source says with what the kernel's tables do; exits with 1 when they differ
    Diff(Diff),
}

/// What is compared with the tables.
#[derive(Debug, Args)]
pub struct Diff {
    /// A YAML file, or a directory of them [default: where the agent has its configuration from, or had it last]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Name of this node, which tells its place [default: what the agent says or said last, or the host name]
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    #[command(flatten)]
    pub as_run: AsRun,
}

/// What an agent is told by `run`. It matters where none runs, and what it knew of a control plane is read from the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct AsRun {
    /// With no agent [default: as the last one was told]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// With no agent [default: as the last one was told]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub on_unsupported: Option<Unsupported>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn directories_are_taken_before_and_after_every_command() {
        for command in [
            "status",
            "doctor",
            "pod list",
            "dump services",
            "dump xds",
            "config diff",
            "uninstall",
            "upgrade --to /r",
            "upgrade status",
            "upgrade plan --to /r",
            "run --config m.yaml",
        ] {
            for line in [
                format!("evermesh --bpffs /b --run-dir /r --cgroup /c --state-dir /s {command}"),
                format!("evermesh {command} --bpffs /b --run-dir /r --cgroup /c --state-dir /s"),
            ] {
                let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
                let expected = Directories {
                    state_dir: "/s".into(),
                    bpffs: "/b".into(),
                    cgroup: Some("/c".into()),
                    run_dir: "/r".into(),
                };
                assert_eq!(arguments.directories, expected, "{line}");
            }
        }
    }

    #[test]
    fn json_may_be_asked_for_in_short_and_once() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert_eq!(parse("evermesh dump xds --json web").unwrap().output(), Output::Json);
        assert_eq!(parse("evermesh --output json status").unwrap().output(), Output::Json);
        assert_eq!(parse("evermesh status").unwrap().output(), Output::Text);
        assert!(parse("evermesh status --json --output text").is_err());
    }

    #[test]
    fn a_lease_is_none_or_outlasts_some_heartbeats() {
        let parses =
            |ms: &str| Arguments::try_parse_from(["evermesh", "run", "--config=m", "--lease-ms", ms]).is_ok();
        assert_eq!(["0", "1", "4999", "5000"].map(parses), [true, false, false, true]);
    }

    #[test]
    fn misuse_is_told_with_what_was_expected() {
        let misuse = |line: &str| {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert!(error.use_stderr(), "{line}");
            error.to_string()
        };
        insta::assert_snapshot!("run_without_config", misuse("evermesh run"));
        insta::assert_snapshot!("pod_without_namespace", misuse("evermesh pod add web-1"));
        insta::assert_snapshot!(
            "pod_with_two_namespaces",
            misuse("evermesh pod add web-1 --netns a --pid 7")
        );
        insta::assert_snapshot!("dump_of_nothing", misuse("evermesh dump policies"));
        insta::assert_snapshot!(
            "watchdog_of_no_time",
            misuse("evermesh run --config m.yaml --watchdog-ms 0")
        );
        insta::assert_snapshot!("lease_of_a_moment", misuse("evermesh run --config m.yaml --lease-ms 4999"));
    }
}
