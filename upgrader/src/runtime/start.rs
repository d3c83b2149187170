use std::time::{Duration, Instant};

use evermesh_handover::{Client, ClientError, Intent, Predecessor, RunDir};
use nix::sys::signal::SigSet;
use tracing::{info, warn};

use super::{
    agent::Recipe,
    directories,
    keeper::{Beginning, Keeper},
    seat::Seat,
    signals::Signals,
    supervisor::Supervisor,
};
use crate::{
    Exit, Options, SupervisorError,
    machine::{Machine, Settings},
};

/// How long the agent of a dead supervisor may take to end. It is killed, but ends only when the disk has answered what it waits for.
const LINGER_MAX: Duration = Duration::from_secs(30);

/// Runs a supervisor until it ends. To be called from the main thread of a process that has no other.
pub fn run(options: &Options) -> Result<Exit, SupervisorError> {
    // Whoever started this process may have blocked what it must hear.
    SigSet::all().thread_unblock().map_err(|errno| SupervisorError::Signals { source: errno.into() })?;
    directories::prepare(options)?;
    let mut keeper = Keeper::open(options)?;
    let run_dir = RunDir::new(&options.run_dir);
    // Signals still end this process while it asks: the old supervisor takes back then.
    let predecessor = if options.takeover { ask(options, &run_dir, &keeper)? } else { None };
    let seat = Seat::take(&run_dir, LINGER_MAX)?;
    forget_intent(options);
    let beginning = keeper.sit(predecessor.is_some())?;
    let recipe = Recipe { args: options.agent_args.clone(), watchdog: options.settings().watchdog };
    let machine = machine(options.settings(), predecessor.is_some(), beginning);
    Supervisor::new(run_dir, recipe, keeper, machine, seat, predecessor, Signals::catch()?).run()
}

fn machine(settings: Settings, takes_over: bool, beginning: Beginning) -> Machine {
    let now = Instant::now();
    let machine = match beginning.waiting {
        _ if takes_over => Machine::after_takeover(settings, now),
        Some(waiting) => Machine::new(settings, now).with_trial(waiting.tries_left, waiting.failed_before),
        None => Machine::new(settings, now),
    };
    if beginning.unsettled { machine.unsettled() } else { machine }
}

fn ask(options: &Options, run_dir: &RunDir, keeper: &Keeper) -> Result<Option<Predecessor>, SupervisorError> {
    let (release, settings) = (keeper.would_run()?.map(Into::into), options.settings());
    let (accept_loss, within) = (options.accept_loss.clone(), settings.commit_within());
    let asked = Client::connect(run_dir, settings.yield_within())
        .and_then(|old| old.ask(env!("CARGO_PKG_VERSION"), release, accept_loss, within));
    match asked {
        Ok(predecessor) => Ok(Some(predecessor)),
        Err(ClientError::NotRunning { .. }) => {
            info!("no supervisor runs in {}: nothing to take over", options.run_dir.display());
            Ok(None)
        }
        Err(source) => Err(SupervisorError::Takeover { run_dir: options.run_dir.clone(), source }),
    }
}

/// Whatever the last end was for: this start says that Evermesh is wanted.
fn forget_intent(options: &Options) {
    let recorded = Intent::recorded(&options.state_dir);
    if let Some(warning) = &recorded.warning {
        warn!("{warning}");
    }
    if recorded.intent != Intent::Restart {
        info!("the recorded intent `{}` is cleared: Evermesh was started anew", recorded.intent);
    }
    if recorded.intent != Intent::Restart || recorded.warning.is_some() {
        Intent::clear(&options.state_dir).unwrap_or_else(|error| warn!("{error}"));
    }
}
