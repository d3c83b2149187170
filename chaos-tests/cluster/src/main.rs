//! Brings test clusters up and down, and runs commands in them.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use evermesh_cluster::{Access, Cluster, ClusterName, Footprint, down, image::Image};

/// Real Kubernetes clusters on this machine, for tests
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Args)]
struct Which {
    /// The cluster; several live side by side
    #[arg(long, default_value = "main")]
    name: ClusterName,
}

#[derive(Subcommand)]
enum Action {
    /// Build Kubernetes, if it has not been built
    Build,
    /// Bring a cluster up; it stays until `down`
    Up {
        #[command(flatten)]
        which: Which,
        /// How many nodes
        #[arg(long, default_value_t = 3)]
        nodes: usize,
        /// A program of Istio to run beside the API server: its `pilot-discovery`
        #[arg(long, value_name = "FILE", env = "EVERMESH_ISTIOD")]
        istiod: Option<PathBuf>,
    },
    /// Take a cluster down, and what killed commands have left of others
    Down {
        #[command(flatten)]
        which: Which,
    },
    /// Show what of a cluster is on this machine, and its nodes
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Copy the logs of all components and pods to a directory, and name it
    Logs {
        #[command(flatten)]
        which: Which,
    },
    /// Bring an image to every node
    Load {
        #[command(flatten)]
        which: Which,
        /// Name of the image, with registry and tag
        image: String,
        /// What it is made of
        #[arg(long, value_name = "FILE")]
        containerfile: PathBuf,
        /// Where the files are that it copies
        #[arg(long = "from", value_name = "DIR", required = true)]
        dirs: Vec<PathBuf>,
    },
    /// Run kubectl as administrator
    Kubectl(Passed),
    /// Run Helm as administrator; the first time, it is built
    Helm(Passed),
    /// Run a program on a node, such as a shell
    Exec {
        #[command(flatten)]
        which: Which,
        /// The node, from 1
        node: usize,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

#[derive(Args)]
struct Passed {
    #[command(flatten)]
    which: Which,
    /// What it is told
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evermesh-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<()> {
    match action {
        Action::Build => Ok(evermesh_cluster::build()?),
        Action::Up { which, nodes, istiod } => up(&which.name, nodes, istiod.as_deref()),
        Action::Down { which } => Ok(down(&which.name)?),
        Action::Status { which } => status(&which.name),
        Action::Logs { which } => {
            println!("{}", Access::to(&which.name)?.collect_logs()?.display());
            Ok(())
        }
        Action::Load { which, image, containerfile, dirs } => {
            let dirs: Vec<_> = dirs.iter().map(PathBuf::as_path).collect();
            Ok(Access::to(&which.name)?.load(&Image::new(&image, &containerfile, &dirs)?)?)
        }
        Action::Kubectl(passed) => {
            become_command(Access::to(&passed.which.name)?.kubectl_command()?.args(passed.arguments))
        }
        Action::Helm(passed) => {
            become_command(Access::to(&passed.which.name)?.helm_command()?.args(passed.arguments))
        }
        Action::Exec { which, node, command } => {
            let (program, arguments) =
                command.split_first().map_or(("".into(), &[][..]), |(p, a)| (p.clone(), a));
            become_command(Access::to(&which.name)?.command(node, program.as_ref())?.args(arguments))
        }
    }
}

fn up(name: &ClusterName, nodes: usize, istiod: Option<&Path>) -> Result<()> {
    let began = Instant::now();
    let cluster = Cluster::up_as(name, nodes)?;
    if let Some(program) = istiod {
        let istiod = cluster.istiod(program)?;
        println!("Istiod serves at {}, with TLS at {}", istiod.address(), istiod.secure_address());
        istiod.keep();
    }
    let shown = cluster.kubectl(&["get", "nodes", "--output=wide"])?;
    cluster.keep()?;
    println!(
        "{shown}up after {:.1} s: `evermesh-cluster kubectl --name {name} ...`",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn status(name: &ClusterName) -> Result<()> {
    let footprint = Footprint::of(name)?;
    if footprint.is_empty() {
        bail!("there is no cluster `{name}`");
    }
    let Footprint { mounts, cgroups, processes, .. } = &footprint;
    println!("{} processes, {} mounts, {} cgroups", processes.len(), mounts.len(), cgroups.len());
    print!("{}", Access::to(name)?.kubectl(&["get", "nodes", "--output=wide", "--request-timeout=5s"])?);
    Ok(())
}

/// Returns only if it cannot be started.
fn become_command(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_os_string();
    let error = command.exec();
    bail!("cannot start {}: {error}", program.display())
}
