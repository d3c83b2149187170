//! Whether what is pinned is as a release makes it.

use evermesh_pins::Finding;

use super::{check::Check, facts::Facts};

pub fn checks(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "pins";
    let findings = match (&facts.stands, &facts.findings) {
        (Ok(false), _) => return vec![Check::ok(NAME, "nothing is pinned")],
        (Err(reason), _) | (_, Err(reason)) => return vec![Check::unknown(NAME, reason)],
        (Ok(true), Ok(findings)) if findings.is_empty() => {
            return vec![Check::ok(NAME, "all that is pinned is as this release makes it")];
        }
        (Ok(true), Ok(findings)) => findings,
    };
    let (cost, action) = match findings.iter().all(Finding::is_left_alone) {
        true => (
            "it takes the kernel's memory, and no start or upgrade touches it",
            "remove it, unless somebody else needs it",
        ),
        false => (
            "what runs goes on, and the next start refuses what stands",
            "run the release that made it, or find out who changed it",
        ),
    };
    let found: Vec<_> = findings.iter().map(ToString::to_string).collect();
    vec![Check::degraded(NAME, found.join("; "), cost, action)]
}
