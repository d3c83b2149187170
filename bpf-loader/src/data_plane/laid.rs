use evermesh_model::{Delta, Snapshot};
use serde::{Deserialize, Serialize};

use super::{DataPlane, Standing};
use crate::tables::Contents;

/// What a generation's tables held once they were led to a model. Who keeps it beside the model's name knows at the next start
/// that the tables are right, without the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    generation: u32,
    contents: Contents,
}

impl DataPlane {
    /// What the tables should hold, if `snapshot` is what they were led to last. It is what was planned, not what they say by
    /// now: drift is never taken for right.
    pub fn laid(&self, snapshot: &Snapshot) -> Option<Laid> {
        let (applied, _) = self.applied.as_ref().filter(|_| self.state_known)?;
        let is_settled = self.trial.is_none() && !self.sentinel_stands;
        let is_same = is_settled && Delta::between(applied, snapshot) == Delta::default();
        let contents = self.state.contents().filter(|_| is_same)?;
        Some(Laid { generation: self.generation(), contents })
    }
}

impl Standing {
    /// Whether the tables hold that, and all else may stay as it stands too.
    pub fn holds(&self, laid: &Laid) -> bool {
        let Some(adopted) = self.live() else { return false };
        adopted.live.number == laid.generation
            && adopted.may_stay(&self.config)
            && adopted.state.contents() == Some(laid.contents)
    }
}
