//! The fields of a service that say how its flows are shared out.

use evermesh_model::{Algorithm, Balancing, HealthPolicy, Mode, Scope, SmolStr};

use super::{
    collection::{list_of, map_of},
    fields::Fields,
    path::Path,
    report::Report,
    value::{count, one_of, text},
    yaml::Node,
};

/// `loadBalancer` is the format's; `algorithm` and `split` are our own.
pub(super) fn balancing(fields: &mut Fields<'_>, report: &mut Report) -> Balancing {
    let algorithm = fields.optional("algorithm", report, one_of(&ALGORITHMS));
    let split = fields.optional("split", report, split);
    let load_balancer = fields.nullable("loadBalancer", report, load_balancer);
    Balancing {
        algorithm: algorithm.unwrap_or_default(),
        split: split.unwrap_or_default(),
        ..load_balancer.unwrap_or_default()
    }
}

const ALGORITHMS: [(&str, Algorithm); 3] =
    [("Random", Algorithm::Random), ("RoundRobin", Algorithm::RoundRobin), ("Maglev", Algorithm::Maglev)];

/// Shares of revisions, by name. A split that splits nothing is a slip: without one, revisions do not matter.
fn split(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Vec<(SmolStr, u32)>> {
    let shares = map_of(text, count)(node, path, report)?;
    if shares.values().all(|share| *share == 0) {
        let reason = "gives nothing to any revision: write shares like `{v1: 90, v2: 10}`, or leave it out";
        return report.refuse(node.line, path, reason);
    }
    Some(shares.into_iter().map(|(revision, share)| (revision.into(), share)).collect())
}

/// What scopes and health decide; the rest is default.
fn load_balancer(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Balancing> {
    let mut fields = Fields::of(node, path, report)?;
    let hint = "write a list of scopes, like `[Region, Zone]`, or `[]`";
    let scopes = fields.required("routingPreferences", hint, report, list_of(one_of(&SCOPES)));
    let hint = "write Standard, Strict, Failover or Passthrough";
    let mode = fields.required("mode", hint, report, one_of(&MODES));
    let hint = "write OnlyHealthy, PreferHealthy or AllowAll";
    let health_policy = fields.required("healthPolicy", hint, report, one_of(&HEALTH_POLICIES));
    fields.finish(report);
    Some(Balancing { scopes: scopes?, mode: mode?, health_policy: health_policy?, ..Balancing::default() })
}

const SCOPES: [(&str, Scope); 6] = [
    ("Region", Scope::Region),
    ("Zone", Scope::Zone),
    ("Subzone", Scope::Subzone),
    ("Node", Scope::Node),
    ("Cluster", Scope::Cluster),
    ("Network", Scope::Network),
];

const MODES: [(&str, Mode); 4] = [
    ("Standard", Mode::Standard),
    ("Strict", Mode::Strict),
    ("Failover", Mode::Failover),
    ("Passthrough", Mode::Passthrough),
];

/// `PreferHealthy` is of our own.
const HEALTH_POLICIES: [(&str, HealthPolicy); 3] = [
    ("OnlyHealthy", HealthPolicy::OnlyHealthy),
    ("PreferHealthy", HealthPolicy::PreferHealthy),
    ("AllowAll", HealthPolicy::AllowAll),
];
