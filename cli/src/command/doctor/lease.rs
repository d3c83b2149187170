//! Whether services are left alone because the agent has been silent for too long.

use super::{
    check::Check,
    facts::{Facts, Lease},
};

pub fn checks(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "lease";
    vec![match facts.lease {
        Err(ref reason) => Check::unknown(NAME, reason),
        Ok(None | Some(Lease { ms: 0, .. })) => {
            Check::ok(NAME, "off: services are balanced for ever as they were last configured")
        }
        Ok(Some(lease)) if !lease.is_over() => {
            Check::ok(NAME, format!("{} ms, the agent was heard {} ms ago", lease.ms, lease.heartbeat_age_ms))
        }
        Ok(Some(lease)) => Check::degraded(
            NAME,
            format!("over: {} ms, the agent was heard {} ms ago", lease.ms, lease.heartbeat_age_ms),
            "new connections to services are left alone: whoever else serves these addresses gets them, or nobody",
            "start the agent with `evermesh run`",
        ),
    }]
}
