use std::time::Duration;

use evermesh_handover::{Client, ClientError, RunDir, message::State};

use super::{Heard, Life};

/// What the supervisor says about itself, or said last.
pub fn heard(run_dir: &RunDir, patience: Duration) -> Heard<State> {
    match Client::connect(run_dir, patience).and_then(|mut client| client.state()) {
        Ok(state) => Heard { life: Life::Running, word: Some(state) },
        Err(error) => {
            let word = State::read(run_dir).ok();
            Heard { life: life_after(&error, word.is_some()), word }
        }
    }
}

fn life_after(error: &ClientError, was_there: bool) -> Life {
    match error {
        ClientError::NotRunning { .. } | ClientError::Closed if was_there => Life::Dead,
        ClientError::NotRunning { .. } => Life::Absent,
        other => Life::Silent(other.to_string()),
    }
}
