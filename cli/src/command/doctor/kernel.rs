//! What the kernel offers.

use evermesh_pins::{
    Hook, Table,
    host::{self, KERNEL_FLOOR},
};

use super::{
    check::Check,
    facts::{Facts, Seen, Trial},
};

pub fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        release(&facts.release),
        btf(facts.btf),
        jit(&facts.jits),
        maps(&facts.maps, facts.uid),
        programs(&facts.programs, facts.uid),
        sock_destroy(&facts.destroying),
    ]
}

fn release(release: &Seen<String>) -> Check {
    const NAME: &str = "kernel";
    let (major, minor) = KERNEL_FLOOR;
    match release {
        Err(reason) => Check::unknown(NAME, reason),
        Ok(release) if host::is_new_enough(release) => {
            Check::ok(NAME, format!("{release} (from {major}.{minor} on)"))
        }
        Ok(release) => Check::missing(
            NAME,
            format!("{release} is older than {major}.{minor}"),
            "the programs do not load, so Evermesh refuses to start",
            "boot a newer kernel",
        ),
    }
}

fn btf(has: bool) -> Check {
    const NAME: &str = "btf";
    if has {
        return Check::ok(NAME, "the kernel describes its types");
    }
    Check::degraded(
        NAME,
        "there is no /sys/kernel/btf/vmlinux",
        "nothing for traffic: the programs need no type of the kernel; tools that look into it may not work",
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF",
    )
}

fn jit(jits: &Seen<bool>) -> Check {
    const NAME: &str = "jit";
    match jits {
        Err(reason) => Check::unknown(NAME, reason),
        Ok(true) => Check::ok(NAME, "programs are compiled to machine code"),
        Ok(false) => Check::degraded(
            NAME,
            "programs are interpreted",
            "every connect() and datagram of a pod takes several times as long in the hooks",
            "run `sysctl -w net.core.bpf_jit_enable=1`",
        ),
    }
}

fn maps(tried: &[(Table, Trial)], uid: u32) -> Check {
    let tried: Vec<_> = tried.iter().map(|(table, trial)| (table.name(), trial)).collect();
    trials(
        "map_kinds",
        &tried,
        uid,
        "mapped array, array, per-CPU array, hash and LRU hash can be made",
        "no generation of tables can be made, so Evermesh does not start",
    )
}

fn programs(tried: &[(Hook, Trial)], uid: u32) -> Check {
    let tried: Vec<_> = tried.iter().map(|(hook, trial)| (hook.name(), trial)).collect();
    trials(
        "program_kinds",
        &tried,
        uid,
        "a program loads for each of our hooks",
        "the programs do not load, so Evermesh does not start",
    )
}

/// What is forbidden to others than root says nothing about the kernel.
fn trials(name: &'static str, tried: &[(&str, &Trial)], uid: u32, made: &str, cost: &str) -> Check {
    let failed: Vec<String> = tried.iter().filter_map(|(what, trial)| failed(what, trial)).collect();
    let forbidden = tried.iter().any(|(_, trial)| **trial == Trial::Forbidden);
    match failed.as_slice() {
        [] => Check::ok(name, made),
        _ if forbidden && uid != 0 => Check::unknown(name, "the kernel lets this user make none"),
        some => Check::missing(
            name,
            some.join("; "),
            cost,
            "run on a kernel built with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF, where neither lockdown, seccomp nor \
             missing capabilities forbid bpf(2)",
        ),
    }
}

fn failed(what: &str, trial: &Trial) -> Option<String> {
    match trial {
        Trial::Made => None,
        Trial::Forbidden => Some(format!("{what}: forbidden")),
        Trial::Refused(reason) => Some(format!("{what}: {reason}")),
    }
}

fn sock_destroy(options: &[(&'static str, Seen<bool>)]) -> Check {
    const NAME: &str = "sock_destroy";
    if let Some(reason) = options.iter().find_map(|(_, built)| built.as_ref().err()) {
        return Check::unknown(NAME, reason);
    }
    let lacking: Vec<&str> =
        options.iter().filter(|(_, built)| *built == Ok(false)).map(|(option, _)| *option).collect();
    if lacking.is_empty() {
        return Check::ok(NAME, "sockets can be destroyed");
    }
    Check::degraded(
        NAME,
        format!("the kernel was built without {}", lacking.join(" and ")),
        "connected UDP sockets whose endpoint is gone send into the void until the application connects again",
        "boot a kernel built with these options",
    )
}
