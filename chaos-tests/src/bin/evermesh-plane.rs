//! A data plane without an agent: it starts, is led to a mesh, and ends where it is told, as if the power had gone.

use std::{
    env,
    io::{self, Write as _},
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use evermesh_agent::source;
use evermesh_chaos_tests::{
    clock::now_ns,
    steps::{Course, Steps},
};
use evermesh_loader::{
    Config, DataPlane, TableSizes,
    generation::{Moment, Step, Watch},
};
use evermesh_pins::{PinDir, Table, host};
use nix::sys::signal::{Signal, raise};

/// Starts a data plane and prints every step, before and after it is done, and at last when that was
#[derive(Parser)]
struct Args {
    /// Where it is pinned
    #[arg(long)]
    bpffs: PathBuf,
    /// What it hooks
    #[arg(long)]
    cgroup: PathBuf,
    /// Where its journal is
    #[arg(long)]
    state_dir: PathBuf,
    /// The mesh
    #[arg(long)]
    config: PathBuf,
    /// Room for so many service ports
    #[arg(long, default_value_t = TableSizes::DEFAULT.services)]
    services: u32,
    /// Room for so many endpoints; another number than before makes a new generation
    #[arg(long)]
    endpoints: u32,
    /// Room for so many origins; another number than before carries them over
    #[arg(long, default_value_t = TableSizes::DEFAULT.origins)]
    origins: u32,
    /// Room for so much of what unconnected UDP sockets asked for; another number than before carries it over
    #[arg(long, default_value_t = TableSizes::DEFAULT.udp_origins)]
    udp_origins: u32,
    /// Room for so many pods; another number than before carries them over
    #[arg(long, default_value_t = TableSizes::DEFAULT.pods)]
    pods: u32,
    /// What becomes of a new generation
    #[arg(long, default_value = "commit")]
    then: Then,
    /// Have a sentinel send through a new generation
    #[arg(long)]
    sentinel: bool,
    /// Maps that may be replaced without what stands in them, where nothing can carry it over
    #[arg(long, value_delimiter = ',', value_parser = Table::to_lose)]
    accept_loss: Vec<Table>,
    /// End by SIGKILL at this moment, counted from 0: each step has one before and one after it
    #[arg(long)]
    end_at: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Then {
    Commit,
    RollBack,
    /// It stays, and the release steps down from it.
    StepDown,
}

fn main() -> anyhow::Result<()> {
    if env::args_os().nth(1).is_some_and(|first| first == evermesh_sentinel::ARGUMENT) {
        return Ok(evermesh_sentinel::serve()?);
    }
    let args = Args::parse();
    let mesh = source::read(&args.config).and_then(source::Raw::parse).context("read the mesh")?.snapshot;
    let cgroup = host::cgroup(Some(&args.cgroup))?;
    let steps = Steps::default();
    let config = Config {
        sizes: TableSizes {
            services: args.services,
            endpoints: args.endpoints,
            origins: args.origins,
            udp_origins: args.udp_origins,
            pods: args.pods,
        },
        candidate: true,
        accept_loss: args.accept_loss,
        sentinel: args.sentinel.then(env::current_exe).transpose()?,
        watch: watch(steps.clone(), args.end_at),
        ..Config::new(PinDir::new(args.bpffs), cgroup, args.state_dir)
    };
    let mut began_ns = now_ns();
    let (mut plane, started) = DataPlane::start(config, Some(&mesh))?;
    let mut ready_ns = now_ns();
    match args.then {
        Then::Commit => plane.commit()?,
        Then::RollBack => plane.roll_back("that is what was asked for")?,
        Then::StepDown => {
            plane.commit()?;
            let _earlier = steps.take();
            began_ns = now_ns();
            plane.try_step_down()?;
            ready_ns = now_ns();
            plane.commit()?;
        }
    }
    println!("done {}", started.how);
    let course = Course { began_ns, ready_ns, ended_ns: now_ns(), steps: steps.take() };
    println!("{}", serde_json::to_string(&course)?);
    Ok(())
}

fn watch(steps: Steps, end_at: Option<usize>) -> Watch {
    let next = AtomicUsize::new(0);
    Watch::new(move |step, moment| {
        steps.note(step, moment);
        let number = next.fetch_add(1, Ordering::Relaxed);
        // Whoever reads this knows how far it came, and nothing else matters to it.
        let _unread = tell(number, step, moment);
        if end_at == Some(number) {
            let _dead = raise(Signal::SIGKILL);
        }
    })
}

fn tell(number: usize, step: &Step, moment: Moment) -> io::Result<()> {
    let word = match moment {
        Moment::Before => "before",
        Moment::After => "after",
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{number} {word} {step}")?;
    out.flush()
}
