use evermesh_model::SmolStr;
use imbl::{OrdMap, OrdSet};

use crate::{Conversion, Demand, Demands, OnUnsupported};

/// Who asks for what is not done.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(OrdMap<Demand, OrdSet<SmolStr>>);

/// So many are named where there are more.
const NAMED: usize = 3;

impl Asked {
    pub fn add(&mut self, demands: Demands, name: &SmolStr) {
        for demand in demands.iter() {
            self.0.entry(demand).or_default().insert(name.clone());
        }
    }

    pub fn remove(&mut self, demands: Demands, name: &SmolStr) {
        for demand in demands.iter() {
            let names = self.0.entry(demand).or_default();
            names.remove(name);
            if names.is_empty() {
                self.0.remove(&demand);
            }
        }
    }

    /// For people.
    pub fn sentences(&self, conversion: &Conversion) -> impl Iterator<Item = String> {
        let on_unsupported = conversion.on_unsupported;
        self.0.iter().map(move |(demand, names)| sentence(*demand, names, on_unsupported))
    }
}

fn sentence(demand: Demand, names: &OrdSet<SmolStr>, on_unsupported: OnUnsupported) -> String {
    let (count, ask) = (names.len(), if names.len() == 1 { "asks" } else { "ask" });
    let mut some = names.iter().take(NAMED).map(SmolStr::as_str).collect::<Vec<_>>().join(", ");
    if count > NAMED {
        some.push_str(", ...");
    }
    let what = if count == 1 { "resource" } else { "resources" };
    format!("{count} {what} ({some}) {ask} for {demand}: {}", instead(demand, on_unsupported))
}

/// What is done in its place.
fn instead(demand: Demand, on_unsupported: OnUnsupported) -> &'static str {
    match (demand, on_unsupported) {
        (Demand::Tunnel, _) => "traffic is sent as it is",
        (Demand::Visibility, _) => "every enrolled pod reaches it",
        (Demand::Range, _) => "traffic to it is left alone",
        (_, OnUnsupported::Refuse) => "connections are refused",
        (Demand::StrictMtls, OnUnsupported::Warn) => {
            "traffic is sent in plain text, which may be refused there"
        }
        (Demand::Policy, OnUnsupported::Warn) => "it is not enforced",
        (Demand::Waypoint | Demand::ApplicationTunnel, OnUnsupported::Warn) => {
            "traffic goes straight to the workloads"
        }
    }
}
