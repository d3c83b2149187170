use std::path::Path;

use evermesh_handover::errand::SAY_LAYOUTS;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AGENT, Digest, Store, probe::answer};

/// What an agent says of the maps that it makes, when it is asked ([`SAY_LAYOUTS`]). Only agents understand it: here
/// it is compared, kept and handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layouts(Value);

impl Layouts {
    /// Asks an agent; none: it is older than the question.
    pub fn ask(agent: &Path) -> Option<Self> {
        let said = answer(AGENT, agent, SAY_LAYOUTS).ok()?;
        serde_json::from_str::<Value>(&said).ok().filter(Value::is_object).map(Self)
    }

    /// Of a release: what was said when it was staged, or what is said now, where it was staged by one that did not ask.
    pub fn of(store: &Store, release: &Digest) -> Option<Self> {
        let recorded = store.described(release).ok().and_then(|it| it.layouts);
        recorded.or_else(|| Self::ask(&store.place(release).join(AGENT)))
    }

    /// Whether this release, being committed, may have to step down before `candidate` can run: it knows other layouts from
    /// the release before than its own, and the candidate makes others than it.
    pub fn may_step_down_for(&self, candidate: &Self) -> bool {
        let [current, before] = ["current", "before"].map(|name| self.0.get(name));
        current != before && current != candidate.0.get("current")
    }

    /// Where it pins something, below the pin directory; `*` stands for any generation. Nothing: it is older than the question.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let said = self.0.get("places").and_then(Value::as_array);
        said.into_iter().flatten().filter_map(Value::as_str)
    }

    /// As its agent says it.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl From<&Layouts> for Vec<u8> {
    fn from(said: &Layouts) -> Self {
        said.0.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(current: u32, before: u32) -> Layouts {
        Layouts(json!({ "current": { "origins": current }, "before": { "origins": before } }))
    }

    #[test]
    fn a_release_steps_down_only_if_it_knows_other_layouts_than_its_own_and_the_candidate_makes_others() {
        assert!(said(2, 1).may_step_down_for(&said(1, 1)));
        assert!(said(2, 1).may_step_down_for(&said(3, 2)));
        assert!(!said(2, 1).may_step_down_for(&said(2, 1)));
        assert!(!said(1, 1).may_step_down_for(&said(2, 1)));
    }
}
