//! Programs of others at our hooks, and their order.

use evermesh_pins::{
    Hook,
    probe::{Seat, Seated},
};

use super::{check::Check, facts::Facts};

/// Programs that are named; the rest is counted.
const NAMED: usize = 3;

pub fn checks(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "other_programs";
    let seats = match &facts.seats {
        Err(reason) => return vec![Check::unknown(NAME, reason)],
        Ok(seats) => seats,
    };
    let is_ours = |program: &Seated| facts.own_programs.contains(&program.id);
    let closed = seats.iter().filter(|seat| !seat.programs.iter().any(is_ours));
    let closed: Vec<String> = closed.filter_map(closed_seat).collect();
    let others: Vec<(Hook, String)> = seats.iter().flat_map(|seat| others(seat, is_ours)).collect();
    let translating = others.iter().any(|(hook, _)| translates(*hook));
    vec![match (closed.is_empty(), others.is_empty()) {
        (false, _) => Check::missing(
            NAME,
            listed(&closed),
            "our hooks cannot be attached: nothing is balanced",
            "have the other program attached with BPF_F_ALLOW_MULTI, remove it, or hook another cgroup with --cgroup",
        ),
        (true, true) => Check::ok(NAME, "none at our hooks"),
        (true, false) => {
            let texts: Vec<String> = others.into_iter().map(|(_, text)| text).collect();
            of_others(NAME, &listed(&texts), translating)
        }
    }]
}

fn of_others(name: &'static str, found: &str, translating: bool) -> Check {
    if !translating {
        return Check::ok(name, format!("{found}; no address can be rewritten there"));
    }
    Check::degraded(
        name,
        found,
        "a program there may rewrite addresses too: of two that know a service the first decides, and what the second \
         sees is a backend; replies may be shown under the wrong address",
        "switch off the other's balancing of sockets (in Cilium socketLB, in Calico connect-time load balancing)",
    )
}

fn closed_seat(seat: &Seat) -> Option<String> {
    let by = seat.closed_by.as_ref()?;
    Some(format!("{}: the program attached to {} lets no other in", seat.hook, by.display()))
}

/// Each program that is not ours, and whether it runs before ours or after.
fn others(seat: &Seat, is_ours: impl Fn(&Seated) -> bool) -> Vec<(Hook, String)> {
    let ours = seat.programs.iter().position(&is_ours);
    let other = |(place, program): (usize, &Seated)| {
        let order = match ours {
            Some(ours) if place < ours => "before ours",
            Some(_) => "after ours",
            None => "ours not attached",
        };
        (seat.hook, format!("{}: {} (id {}, {order})", seat.hook, named(program), program.id))
    };
    let beside = seat.programs.iter().enumerate().filter(|(_, program)| !is_ours(program)).map(other);
    let below = seat.below.iter().filter(|(_, program)| !is_ours(program)).map(|(cgroup, program)| {
        let order = format!("before ours, in {}", cgroup.display());
        (seat.hook, format!("{}: {} (id {}, {order})", seat.hook, named(program), program.id))
    });
    beside.chain(below).collect()
}

fn named(program: &Seated) -> &str {
    if program.name.is_empty() { "without a name" } else { &program.name }
}

/// Whether a program at that hook is handed an address that it may rewrite.
fn translates(hook: Hook) -> bool {
    hook != Hook::SockRelease
}

fn listed(texts: &[String]) -> String {
    let named = texts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    match texts.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}
