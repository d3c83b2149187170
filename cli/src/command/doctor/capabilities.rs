//! What this process may do. The agent needs the same.

use evermesh_pins::probe::Capability;

use super::{check::Check, facts::Facts};

/// Whether the effective user is root, and each capability.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![root(facts.uid)];
    checks.extend(Capability::ALL.into_iter().map(|capability| match &facts.capabilities {
        Ok(_) if facts.uid != 0 => Check::unknown(capability.name(), "root may hold what this user does not"),
        Ok(held) => check(capability, held),
        Err(reason) => Check::unknown(capability.name(), reason),
    }));
    checks
}

fn root(uid: u32) -> Check {
    const NAME: &str = "root";
    if uid == 0 {
        return Check::ok(NAME, "this process runs as root");
    }
    Check::missing(
        NAME,
        format!("this process runs as user {uid}"),
        "Evermesh runs as root alone, and what only root may look at is unknown here",
        "run `sudo evermesh doctor`",
    )
}

fn check(capability: Capability, held: &[Capability]) -> Check {
    let Use { purpose, stand_in, absent } = used(capability);
    let name = capability.name();
    if held.contains(&capability) {
        return Check::ok(name, format!("held: {purpose}"));
    }
    match (stand_in, absent) {
        (StandIn::Full, _) if held.contains(&Capability::SysAdmin) => {
            Check::ok(name, format!("not held, cap_sys_admin does as well: {purpose}"))
        }
        (StandIn::But(cost), _) if held.contains(&Capability::SysAdmin) => {
            Check::degraded(name, format!("not held, cap_sys_admin does for a part: {purpose}"), cost, ACTION)
        }
        (_, Absent::Harmless) => Check::ok(name, format!("not held, not needed: {purpose}")),
        (_, Absent::Degrades(cost)) => Check::degraded(name, format!("not held: {purpose}"), cost, ACTION),
        (_, Absent::Prevents(cost)) => Check::missing(name, format!("not held: {purpose}"), cost, ACTION),
    }
}

const ACTION: &str =
    "give it to the process: in a container by its security context, under systemd by CapabilityBoundingSet=";

/// What a capability is needed for. Tried with the agent on kernel 6.18.
struct Use {
    purpose: &'static str,
    stand_in: StandIn,
    absent: Absent,
}

/// Whether the kernel takes `CAP_SYS_ADMIN` in its place.
enum StandIn {
    Full,
    /// What it costs that it does not for everything.
    But(&'static str),
    None,
}

/// What it costs where it is not held and nothing stands in.
enum Absent {
    Harmless,
    Degrades(&'static str),
    Prevents(&'static str),
}

fn used(capability: Capability) -> Use {
    match capability {
        Capability::Bpf => Use {
            purpose: "makes maps, loads programs, opens pins",
            stand_in: StandIn::Full,
            absent: Absent::Prevents("nothing can be loaded, read or enrolled"),
        },
        Capability::NetAdmin => Use {
            purpose: "loads programs for sockets, attaches them, destroys sockets",
            stand_in: StandIn::But(NOT_DESTROYED),
            absent: Absent::Prevents("the programs do not load: nothing is balanced"),
        },
        Capability::Perfmon => Use {
            purpose: "lets programs be verified as those of a trusted user",
            stand_in: StandIn::Full,
            absent: Absent::Prevents("the kernel refuses the programs: nothing is balanced"),
        },
        Capability::SysAdmin => Use {
            purpose: "enters network namespaces, reads programs of others",
            stand_in: StandIn::None,
            absent: Absent::Degrades(
                "this process can enrol no pod and destroy no socket in one; traffic of enrolled pods is balanced",
            ),
        },
        Capability::SysPtrace => Use {
            purpose: "looks at processes of other users",
            stand_in: StandIn::None,
            absent: Absent::Degrades(
                "`pod add --pid` fails, and processes outside of the hooked cgroup are not found",
            ),
        },
        Capability::SysResource => Use {
            purpose: "raised limits of locked memory before kernel 5.11",
            stand_in: StandIn::None,
            absent: Absent::Harmless,
        },
    }
}

const NOT_DESTROYED: &str =
    "connected UDP sockets whose endpoint is gone send into the void until the application connects again";
