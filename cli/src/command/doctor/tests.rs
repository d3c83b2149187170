//! What is shown on each kind of host, from facts made by hand.

use std::path::PathBuf;

use evermesh_loader::TableSizes;
use evermesh_pins::{
    Finding, Hook, Table,
    probe::{Capability, Footprint, HostMemory, PodOutside, Seat, Seated},
};

use super::{
    check::Verdict,
    facts::{Facts, Hooked, Lease, Pods, Standing, TableFacts, Trial},
    view::DoctorView,
};

const OURS: u32 = 100;
/// One that is mapped, one that is made whole, one that grows.
const TABLES: [Table; 3] = [Table::Slots, Table::Origins, Table::UdpOrigins];

fn seat(hook: Hook) -> Seat {
    let ours = Seated { id: OURS + hook as u32, name: hook.name().into() };
    Seat { hook, programs: vec![ours], below: vec![], closed_by: None }
}

/// A host where all is well, and Evermesh stands.
fn well() -> Facts {
    let sizes = TableSizes { services: 1000, endpoints: 10_000, ..TableSizes::DEFAULT };
    let table = |table| {
        let entries = sizes.entries(table);
        let footprint = Footprint::of(&table.layout(), entries, 2);
        TableFacts {
            table,
            entries,
            footprint,
            standing: Some(Standing { entries, bytes: Some(footprint.empty) }),
        }
    };
    Facts {
        uid: 0,
        release: Ok("6.12.9-cloud-amd64".into()),
        btf: true,
        jits: Ok(true),
        destroying: vec![("CONFIG_INET_DIAG_DESTROY", Ok(true)), ("CONFIG_INET_UDP_DIAG", Ok(true))],
        maps: TABLES.map(|table| (table, Trial::Made)).into(),
        programs: Hook::ALL.map(|hook| (hook, Trial::Made)).into(),
        capabilities: Ok(Capability::ALL.into()),
        pins: "/sys/fs/bpf/evermesh".into(),
        bpffs: Ok(true),
        stands: Ok(true),
        findings: Ok(vec![]),
        cgroup: Ok(Hooked { path: "/sys/fs/cgroup".into(), is_root: true, stands: true }),
        cgroup1: Ok(vec![]),
        sizes,
        tables: TABLES.map(table).into(),
        memory: Ok(HostMemory { available: 4 << 30, swap: 0 }),
        memlock: Ok(Some(8 << 20)),
        seats: Ok(Hook::ALL.map(seat).into()),
        own_programs: Hook::ALL.map(|hook| OURS + hook as u32).into(),
        pods: Ok(Pods { enrolled: 12, outside: vec![] }),
        lease: Ok(Some(Lease { ms: 30_000, heartbeat_age_ms: 412 })),
    }
}

fn shown(facts: &Facts) -> String {
    DoctorView::of(facts).to_string()
}

/// Only what is not well.
fn wrong(facts: &Facts) -> String {
    shown(facts).lines().take_while(|line| !line.starts_with("ok")).collect::<Vec<_>>().join("\n")
}

#[test]
fn all_is_well() {
    assert_eq!(DoctorView::of(&well()).verdict, Verdict::Ok);
    insta::assert_snapshot!(shown(&well()));
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&DoctorView::of(&well())).unwrap());
}

#[test]
fn an_old_and_bare_host() {
    let refused = || Trial::Refused("Invalid argument (os error 22)".into());
    let facts = Facts {
        release: Ok("5.10.0".into()),
        btf: false,
        jits: Ok(false),
        destroying: vec![("CONFIG_INET_DIAG_DESTROY", Ok(false)), ("CONFIG_INET_UDP_DIAG", Ok(true))],
        maps: TABLES.map(|table| (table, Trial::Made)).into(),
        programs: vec![(Hook::Connect4, Trial::Made), (Hook::SockRelease, refused())],
        bpffs: Ok(false),
        cgroup: Err("no cgroup v2 hierarchy is mounted".into()),
        cgroup1: Ok(vec!["/sys/fs/cgroup/cpu".into(), "/sys/fs/cgroup/memory".into()]),
        seats: Err("no cgroup v2 hierarchy is mounted".into()),
        own_programs: [].into(),
        stands: Ok(false),
        pods: Ok(Pods::default()),
        ..well()
    };
    assert_eq!(DoctorView::of(&facts).verdict, Verdict::Missing);
    insta::assert_snapshot!(wrong(&facts));
}

#[test]
fn somebody_who_is_not_root_is_told_what_could_not_be_looked_at() {
    let denied = || "Permission denied (os error 13)".to_owned();
    let facts = Facts {
        uid: 1000,
        jits: Err(denied()),
        destroying: vec![("CONFIG_INET_DIAG_DESTROY", Err(denied()))],
        maps: TABLES.map(|table| (table, Trial::Forbidden)).into(),
        programs: Hook::ALL.map(|hook| (hook, Trial::Forbidden)).into(),
        capabilities: Ok(vec![]),
        seats: Err(denied()),
        own_programs: [].into(),
        pods: Err(denied()),
        ..well()
    };
    insta::assert_snapshot!(wrong(&facts));
}

#[test]
fn root_in_a_container_lacks_what_it_was_not_given() {
    let facts = Facts {
        capabilities: Ok(vec![Capability::Bpf, Capability::NetAdmin]),
        maps: vec![(Table::Slots, Trial::Forbidden)],
        ..well()
    };
    insta::assert_snapshot!(wrong(&facts));
}

#[test]
fn cap_sys_admin_stands_for_others() {
    let facts = Facts { capabilities: Ok(vec![Capability::SysAdmin]), ..well() };
    let checks = DoctorView::of(&facts).checks;
    let verdict = |name| checks.iter().find(|check| check.name == name).unwrap().verdict;
    assert_eq!(verdict("cap_bpf"), Verdict::Ok);
    assert_eq!(verdict("cap_perfmon"), Verdict::Ok);
    assert_eq!(verdict("cap_net_admin"), Verdict::Degraded);
    assert_eq!(verdict("cap_sys_resource"), Verdict::Ok);
}

#[test]
fn others_balance_sockets_too() {
    let other = |id, name: &str| Seated { id, name: name.into() };
    let [mut connect4, mut connect6, mut release] =
        [Hook::Connect4, Hook::Connect6, Hook::SockRelease].map(seat);
    connect4.programs.insert(0, other(7, "cil_sock4_connect"));
    connect4.programs.push(other(9, ""));
    connect6.programs.push(other(8, "cil_sock6_connect"));
    release.programs.push(other(10, "cil_sock_release"));
    let facts = Facts { seats: Ok(vec![connect4, connect6, release.clone()]), ..well() };
    insta::assert_snapshot!(wrong(&facts));

    let harmless = Facts { seats: Ok(vec![release]), ..well() };
    assert_eq!(DoctorView::of(&harmless).verdict, Verdict::Ok);
}

/// It runs before ours, for some of the node's sockets.
#[test]
fn a_program_below_the_hooked_cgroup_rewrites_addresses_of_some() {
    let theirs = Seated { id: 7, name: "theirs".into() };
    let below = vec![(PathBuf::from("/sys/fs/cgroup/system.slice"), theirs)];
    let seats = vec![Seat { below, ..seat(Hook::SendMsg6) }];
    insta::assert_snapshot!(wrong(&Facts { seats: Ok(seats), ..well() }));
}

#[test]
fn a_program_that_lets_no_other_in_hinders_only_what_is_not_attached_yet() {
    let closed_by = Some(PathBuf::from("/sys/fs/cgroup"));
    let theirs = vec![Seated { id: 7, name: "theirs".into() }];
    let closed = Seat { closed_by: closed_by.clone(), programs: theirs, ..seat(Hook::Connect4) };
    insta::assert_snapshot!(wrong(&Facts { seats: Ok(vec![closed]), ..well() }));

    let attached = Seat { closed_by, ..seat(Hook::Connect4) };
    assert_eq!(DoctorView::of(&Facts { seats: Ok(vec![attached]), ..well() }).verdict, Verdict::Ok);
}

#[test]
fn pods_lie_outside_of_the_hooked_cgroup() {
    let outside = |number: u32| PodOutside {
        pod: format!("demo/web-{number}"),
        processes: 2,
        pid: 4000 + number,
        cgroup: "/system.slice/web.service".into(),
    };
    let facts = Facts {
        cgroup: Ok(Hooked { path: "/sys/fs/cgroup/kubepods".into(), is_root: false, stands: true }),
        cgroup1: Ok(vec!["/sys/fs/cgroup/cpu".into()]),
        pods: Ok(Pods { enrolled: 12, outside: (1..=5).map(outside).collect() }),
        ..well()
    };
    insta::assert_snapshot!(wrong(&facts));
}

#[test]
fn memory_is_short() {
    let tables = well().tables.into_iter().map(|table| TableFacts { standing: None, ..table }).collect();
    let memory = Ok(HostMemory { available: 1 << 20, swap: 1 << 30 });
    insta::assert_snapshot!(wrong(&Facts { tables, memory, stands: Ok(false), ..well() }));
}

#[test]
fn a_lease_that_is_over() {
    let lease = Ok(Some(Lease { ms: 30_000, heartbeat_age_ms: 31_000 }));
    insta::assert_snapshot!(wrong(&Facts { lease, ..well() }));
}

#[test]
fn pins_that_are_nobodys_are_left_and_those_of_other_kinds_stop_a_start() {
    let foreign = Finding::Foreign { path: "/sys/fs/bpf/evermesh/leaked".into() };
    let kind = Finding::Kind { path: "/sys/fs/bpf/evermesh/live".into(), expected: "map", found: "program" };
    let nobodys = Facts { findings: Ok(vec![foreign.clone()]), ..well() };
    insta::assert_snapshot!("pins_left_alone", wrong(&nobodys));
    insta::assert_snapshot!(
        "pins_of_another_kind",
        wrong(&Facts { findings: Ok(vec![foreign, kind]), ..well() })
    );
}
