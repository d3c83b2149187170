use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::AgentError;

/// What happens to the agent from outside.
pub struct Signals {
    pub end: Signal,
    pub interrupt: Signal,
    pub reload: Signal,
    pub audit: Signal,
}

impl Signals {
    pub fn catch() -> Result<Self, AgentError> {
        let catch =
            |kind| signal(kind).map_err(|source| AgentError::Runtime { step: "catch signals", source });
        Ok(Self {
            end: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            reload: catch(SignalKind::hangup())?,
            audit: catch(SignalKind::user_defined1())?,
        })
    }
}
