use std::{env, path::PathBuf, time::Duration};

use evermesh_handover::{Client, ClientError, Intent, Predecessor, RunDir};
use nix::sys::signal::SigSet;
use tracing::{info, warn};

use super::{agent::Recipe, directories, seat::Seat, signals::Signals, supervisor::Supervisor};
use crate::{Exit, Options, SupervisorError};

/// How long the agent of a dead supervisor may take to end.
const LINGER_MAX: Duration = Duration::from_secs(5);
/// How long an old supervisor may take to yield, which includes stopping its agent.
const YIELD_WITHIN: Duration = Duration::from_secs(90);

/// Runs a supervisor until it ends. To be called from the main thread of a process that has no other.
pub fn run(options: &Options) -> Result<Exit, SupervisorError> {
    // Whoever started this process may have blocked what it must hear.
    SigSet::all().thread_unblock().map_err(|errno| SupervisorError::Signals { source: errno.into() })?;
    let recipe = recipe(options)?;
    directories::prepare(options)?;
    let run_dir = RunDir::new(&options.run_dir);
    // Signals still end this process while it asks: the old supervisor takes back then.
    let predecessor = if options.takeover { ask(options, &run_dir)? } else { None };
    let seat = Seat::take(&run_dir, LINGER_MAX)?;
    forget_intent(options);
    Supervisor::new(run_dir, recipe, options.settings(), seat, predecessor, Signals::catch()?).run()
}

fn recipe(options: &Options) -> Result<Recipe, SupervisorError> {
    let program = match &options.agent {
        Some(program) => program.clone(),
        None => agent_beside_this_program()?,
    };
    let watchdog = options.settings().watchdog;
    Ok(Recipe { program, args: options.agent_args.clone(), watchdog })
}

fn agent_beside_this_program() -> Result<PathBuf, SupervisorError> {
    let own = env::current_exe().map_err(|source| SupervisorError::OwnPlace { source })?;
    Ok(own.with_file_name("evermesh-agent"))
}

fn ask(options: &Options, run_dir: &RunDir) -> Result<Option<Predecessor>, SupervisorError> {
    let within = options.settings().commit_within();
    let asked =
        Client::connect(run_dir, YIELD_WITHIN).and_then(|old| old.ask(env!("CARGO_PKG_VERSION"), within));
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
