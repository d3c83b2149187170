use std::{env, time::Duration};

use evermesh_handover::{Client, ClientError, RunDir};

use crate::{
    Options, SupervisorError,
    release::{AGENT, LedgerError, LedgerFile, Store},
    runtime::prepare,
};

/// How long the supervisor that runs may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Why a supervisor of this release would not do here.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It would not start.
    #[error(transparent)]
    Start(#[from] SupervisorError),
    /// It would find no agent.
    #[error("there is no {AGENT} beside it")]
    NoAgent,
    /// It would not know what is committed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It would not understand the supervisor that runs.
    #[error("it does not understand the supervisor that runs: {0}")]
    Handover(#[source] ClientError),
}

/// Whether a supervisor of this release would find what it needs: its directories, its agent, the ledger, and the words of the
/// supervisor that runs, if one does. It makes directories that are missing, as a start does, and changes nothing else.
pub fn check(options: &Options) -> Result<(), CheckError> {
    prepare(options)?;
    let own = env::current_exe().map_err(|source| SupervisorError::OwnPlace { source })?;
    if !own.with_file_name(AGENT).is_file() {
        return Err(CheckError::NoAgent);
    }
    LedgerFile::of(&Store::of(&options.state_dir)).read()?;
    let asked = Client::connect(&RunDir::new(&options.run_dir), ANSWER).and_then(|mut client| client.state());
    match asked {
        Ok(_) | Err(ClientError::NotRunning { .. }) => Ok(()),
        Err(error) => Err(CheckError::Handover(error)),
    }
}
