use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evermesh_handover::{Intent, message::State};
use evermesh_model::LastApplied;
use evermesh_proto::admin::v1::Status;

use super::data_path::DataPath;
use crate::{
    args::Directories,
    process::{Heard, agent, supervisor},
    record,
};

/// How long each process may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What can be found out, nothing of it judged.
#[derive(Debug)]
pub struct Facts {
    /// Wall clock.
    pub now_unix_ms: u64,
    /// The supervisor.
    pub supervisor: Heard<State>,
    /// The agent.
    pub agent: Heard<Status>,
    /// What traffic obeys.
    pub data_path: DataPath,
    /// What is on disk. Not looked at when the agent knows better.
    pub record: Result<Option<LastApplied>, String>,
    /// Somebody began to uninstall and did not get to the end.
    pub uninstall_begun: bool,
}

impl Facts {
    /// Asks the processes and looks at pins and disk.
    pub fn gather(directories: &Directories) -> Self {
        let run_dir = directories.run();
        let agent = agent::heard(&run_dir, PATIENCE);
        let known = agent.word.as_ref().is_some_and(|word| word.configuration.is_some());
        let record = || record::read(&directories.state_dir).map_err(|error| error.to_string());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            now_unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            supervisor: supervisor::heard(&run_dir, PATIENCE),
            data_path: DataPath::look(directories),
            record: if known { Ok(None) } else { record() },
            uninstall_begun: Intent::recorded(&directories.state_dir).intent == Intent::Uninstall,
            agent,
        }
    }
}
