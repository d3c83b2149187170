//! Servers and clients of the test rig, each a process of its own; also usable by hand.

use std::{
    env,
    io::Read,
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use evermesh_chaos_tests::{
    client::{self, Bounds, Kind, Recorder, Target},
    process::READY,
    server::{self, Name, Ports},
};

/// Servers and clients of the Evermesh test rig
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answer with a name, on as many ports as wanted
    Server {
        /// Who answers, at most 16 bytes
        #[arg(long)]
        name: Name,
        #[command(flatten)]
        ports: Ports,
    },
    /// Make attempts without pauses until standard input closes
    Client(ClientArgs),
    /// Print the page at `/` of an HTTP server
    Fetch {
        /// Where
        target: SocketAddr,
    },
}

#[derive(clap::Args)]
struct ClientArgs {
    /// What to try
    #[arg(long)]
    kind: Kind,
    /// Where, and who may answer; without names it must be refused. Several are taken in turn
    #[arg(long = "target", required = true, value_name = "ADDRESS:PORT[=NAME,...]")]
    targets: Vec<Target>,
    /// File for the attempts
    #[arg(long)]
    record: PathBuf,
    /// Longest time to run
    #[arg(long, default_value_t = 60_000)]
    for_ms: u64,
    /// Most attempts to make
    #[arg(long, default_value_t = 50_000_000)]
    attempts: u64,
}

/// Clients that never pause would leave what is tested a tenth of a processor: what it takes would take ten times as long. With this
/// they leave it half of it; `EVERMESH_NICENESS=19` has them leave most of it.
const NICENESS: i32 = 10;

static STOPPED: AtomicBool = AtomicBool::new(false);

fn main() -> anyhow::Result<()> {
    rustix::process::nice(niceness()?)?;
    match Args::parse().role {
        Role::Server { name, ports } => Ok(server::serve(name, &ports, || println!("{READY}"))?),
        Role::Client(args) => run_client(args),
        Role::Fetch { target } => {
            print!("{}", client::fetch(target)?);
            Ok(())
        }
    }
}

fn niceness() -> anyhow::Result<i32> {
    let Ok(said) = env::var("EVERMESH_NICENESS") else { return Ok(NICENESS) };
    said.parse().with_context(|| format!("EVERMESH_NICENESS is no number: {said}"))
}

fn run_client(args: ClientArgs) -> anyhow::Result<()> {
    let bounds = Bounds { time: Duration::from_millis(args.for_ms), attempts: args.attempts };
    let mut recorder = Recorder::create(&args.record)?;
    thread::spawn(stop_at_end_of_input);
    println!("{READY}");
    let stopped = || STOPPED.load(Ordering::Relaxed);
    client::run(args.kind, &args.targets, bounds, stopped, &mut recorder)?;
    Ok(recorder.finish()?)
}

fn stop_at_end_of_input() {
    let mut ignored = [0; 64];
    while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
    STOPPED.store(true, Ordering::Relaxed);
}
