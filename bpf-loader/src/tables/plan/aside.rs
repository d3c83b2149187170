//! Keys that leave a service which stands, while both that service and the one they go to change.
//!
//! There may be no order of the two changes in which such a key leads to what it led to, or to what it will lead to: each service may
//! lose a key to the other. So the keys step aside first, to a service of their own which has the slots that they leave, and
//! the service that they left gets other slots. It goes when they have arrived. Where no service id is left they go straight.

use std::collections::{BTreeMap, BTreeSet};

use evermesh_abi::{FrontendKey, FrontendValue, ServiceMeta};
use evermesh_model::ServiceKey;

use super::{
    super::{State, Store, state::ServiceState},
    Gone, Plan,
};
use crate::lower::Lowered;

/// Makes them step aside.
pub(super) fn step_aside(
    plan: &mut Plan,
    state: &mut State,
    wanted: &[(ServiceKey, Lowered)],
    gone: &mut Gone,
) {
    let mut asides = BTreeMap::new();
    for (key, from) in leaving(state, wanted) {
        let Some(aside) = *asides.entry(from).or_insert_with(|| aside(plan, state, from, gone)) else {
            continue;
        };
        let value = FrontendValue::new(aside, &key);
        state.leave(&key);
        state.frontends.insert(key, value);
        plan.stores.push(Store::SetFrontend { key, value });
    }
}

/// Keys that lead to a service that is planned, and will lead to another one, and the id of the first.
fn leaving(state: &State, wanted: &[(ServiceKey, Lowered)]) -> Vec<(FrontendKey, u32)> {
    let ports = || wanted.iter().flat_map(|(_, lowered)| &lowered.ports);
    let moves = |digest: u64, key: &FrontendKey| {
        let from = state.services.of_id(state.frontends.get(key)?.service())?;
        (from.meta.digest != digest).then_some((*key, from))
    };
    let moving =
        ports().flat_map(|port| port.frontends.iter().filter_map(|key| moves(port.meta.digest, key)));
    let moving: Vec<_> = moving.collect();
    let planned: BTreeSet<u64> = match moving.is_empty() {
        true => BTreeSet::new(),
        false => ports().map(|port| port.meta.digest).collect(),
    };
    let stands = |(key, from): (FrontendKey, &ServiceState)| {
        planned.contains(&from.meta.digest).then_some((key, from.id))
    };
    moving.into_iter().filter_map(stands).collect()
}

/// A service with the slots that another one has now, and that belongs to nothing as soon as no key leads to it.
fn aside(plan: &mut Plan, state: &mut State, from: u32, gone: &mut Gone) -> Option<u32> {
    let id = state.service_ids.take()?;
    let left = state.services.of_id_mut(from)?;
    left.broken = true;
    let (word, like) = (left.word, left.meta);
    let taken = |digest: &u64| *digest == 0 || state.services.get(*digest).is_some();
    let digest = (1..).map(|n| like.digest.wrapping_add(n)).find(|digest| !taken(digest)).unwrap_or_default();
    let meta = ServiceMeta { digest, ..like };
    plan.stores.extend([Store::Service { id, word }, Store::ServiceMeta { id, meta }]);
    // The slots are the other's to give back.
    state.services.insert(ServiceState { meta, broken: false, ..ServiceState::new(id) });
    gone.digests.insert(digest);
    Some(id)
}
