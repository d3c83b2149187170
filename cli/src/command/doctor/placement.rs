//! Whether the hooks cover every process of every pod.

use super::{
    check::Check,
    facts::{Facts, Pods},
};
use crate::command::pod::PodOutsideView;

/// Pods that are named; the rest is counted.
const NAMED: usize = 3;

pub fn checks(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "pods_outside";
    vec![match &facts.pods {
        Err(reason) => Check::unknown(NAME, reason),
        Ok(Pods { enrolled: 0, .. }) => Check::ok(NAME, "no pods are enrolled"),
        Ok(Pods { enrolled, outside }) if outside.is_empty() => {
            Check::ok(NAME, format!("the hooked cgroup covers every process of {enrolled} pods"))
        }
        Ok(pods) => Check::degraded(
            NAME,
            found(pods),
            "the hooks never see what these processes connect to: it is not balanced",
            "hook a cgroup above them with --cgroup, or start them below the hooked one",
        ),
    }]
}

fn found(pods: &Pods) -> String {
    let named = pods.outside.iter().take(NAMED).map(|pod| PodOutsideView::from(pod).to_string());
    let mut found: Vec<String> = named.collect();
    let more = pods.outside.len().saturating_sub(NAMED);
    found.extend((more > 0).then(|| format!("and {more} pods more")));
    found.join("; ")
}
