//! What is shown in each situation, from facts made by hand.

use std::collections::BTreeMap;

use evermesh_handover::message::{Candidate, Phase, Releases, State, TrialEnd};
use evermesh_model::{LastApplied, Policy, PolicyAction, PolicyScope, Snapshot};
use evermesh_pins::probe::PodOutside;
use evermesh_proto::admin::v1::{
    self as admin, Configuration, ControlPlane, DataPlane, Refusal, RefusedResource, Status,
    control_plane::Phase as Stream,
};

use super::{
    data_path::{DataPath, HOOKS},
    facts::Facts,
    view::StatusView,
};
use crate::{
    command::pod::PodView,
    process::{Heard, Life},
};

const NOW: u64 = 1_700_000_000_000;

fn heard<Word>(life: Life, word: Word) -> Heard<Word> {
    Heard { life, word: Some(word) }
}

fn nobody<Word>() -> Heard<Word> {
    Heard { life: Life::Absent, word: None }
}

fn state(phase: Phase) -> State {
    State {
        release: "0.1.0".into(),
        pid: 4711,
        agent_pid: Some(4712),
        phase,
        status: None,
        restarts: BTreeMap::from([("crash".into(), 2), ("hung".into(), 1), ("exit".into(), 0)]),
        last_exit: Some("killed by SIGKILL".into()),
        since_unix_ms: NOW - 5_000,
        started_unix_ms: NOW - 7_260_000,
        releases: None,
    }
}

fn agent_says() -> Status {
    Status {
        release: "0.1.0".into(),
        pid: 4712,
        started_unix_ms: NOW - 5_000,
        source: "/etc/mesh.yaml".into(),
        configuration: Some(Configuration {
            digest: (0..32).collect(),
            applied_unix_ms: NOW - 180_000,
            services: 3,
            workloads: 12,
            endpoints: 14,
            warnings: vec![],
            policies: vec![],
        }),
        refused: None,
        unsaved: None,
        control_plane: None,
        node: "node-1".into(),
        data_plane: Some(DataPlane {
            generation: 3,
            how: "adopted".into(),
            writes: 0,
            drifts: 0,
            drifted_unix_ms: None,
            error: None,
            notes: vec![],
            destroyed: 0,
        }),
    }
}

fn pod(number: u8) -> PodView {
    PodView {
        name: format!("demo/web-{number}"),
        netns_cookie: 4000 + u64::from(number),
        ipv4: Some([10, 0, 0, number].into()),
        ipv6: None,
    }
}

fn data_path() -> DataPath {
    DataPath {
        stands: true,
        generation: Some(3),
        hooks: HOOKS,
        cgroup: Some("/sys/fs/cgroup".into()),
        findings: vec![],
        phase: Some(0),
        heartbeat_age_ms: Some(412),
        lease_ms: Some(30_000),
        pods: vec![pod(1), pod(2)],
        pods_outside: vec![],
        counters: vec![("translated".into(), 4242), ("refused_no_endpoints".into(), 1)],
    }
}

fn healthy() -> Facts {
    Facts {
        now_unix_ms: NOW,
        supervisor: heard(Life::Running, state(Phase::Running)),
        agent: heard(Life::Running, agent_says()),
        data_path: data_path(),
        record: Ok(None),
        uninstall_begun: false,
    }
}

fn record() -> LastApplied {
    let policy = Policy {
        name: "deny-all".into(),
        namespace: "demo".into(),
        scope: PolicyScope::Namespace,
        action: PolicyAction::Deny,
        dry_run: false,
        rules: serde_json::Value::Null,
    };
    LastApplied {
        source: "/etc/mesh.yaml".into(),
        digest: [0xab; 32],
        applied_unix_ms: NOW - 90_000_000,
        warnings: vec!["/etc/mesh.yaml:7: `node` is not used yet".into()],
        snapshot: Snapshot::new([], [], [policy]).unwrap(),
    }
}

fn shown(facts: &Facts) -> String {
    StatusView::of(facts).to_string()
}

#[test]
fn all_is_well() {
    insta::assert_snapshot!(shown(&healthy()));
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&StatusView::of(&healthy())).unwrap());
}

#[test]
fn the_agent_hangs() {
    let silent = Life::Silent("no answer within 1000 ms".into());
    let data_path = DataPath { heartbeat_age_ms: Some(8_000), ..data_path() };
    insta::assert_snapshot!(shown(&Facts { agent: heard(silent, agent_says()), data_path, ..healthy() }));
}

#[test]
fn the_agent_is_dead_and_the_supervisor_waits() {
    let supervisor = heard(Life::Running, state(Phase::Backoff));
    let agent = heard(Life::Dead, agent_says());
    insta::assert_snapshot!(shown(&Facts { supervisor, agent, ..healthy() }));
}

#[test]
fn everybody_is_dead() {
    let supervisor = heard(Life::Dead, state(Phase::Running));
    let agent = heard(Life::Dead, agent_says());
    insta::assert_snapshot!(shown(&Facts { supervisor, agent, ..healthy() }));
}

#[test]
fn it_was_stopped() {
    let supervisor = heard(Life::Dead, state(Phase::Ended));
    let agent = heard(Life::Dead, agent_says());
    insta::assert_snapshot!(shown(&Facts { supervisor, agent, ..healthy() }));
}

#[test]
fn nobody_was_there_since_the_boot() {
    let data_path = DataPath { heartbeat_age_ms: None, ..data_path() };
    let record = Ok(Some(record()));
    let facts = Facts { supervisor: nobody(), agent: nobody(), data_path, record, ..healthy() };
    insta::assert_snapshot!(shown(&facts));
}

#[test]
fn nothing_is_on_the_node() {
    let (supervisor, agent) = (nobody(), nobody());
    insta::assert_snapshot!(shown(&Facts { supervisor, agent, data_path: DataPath::default(), ..healthy() }));
}

#[test]
fn an_agent_without_supervisor_is_fine() {
    insta::assert_snapshot!(shown(&Facts { supervisor: nobody(), ..healthy() }));
}

#[test]
fn the_newest_configuration_was_refused() {
    let reason = "mesh.yaml:3: services[0].ports: is missing\nmesh.yaml:9: services[1].name: is missing";
    let mut word = agent_says();
    word.refused = Some(Refusal { reason: reason.into(), at_unix_ms: NOW - 240_000 });
    insta::assert_snapshot!(shown(&Facts { agent: heard(Life::Running, word), ..healthy() }));
}

#[test]
fn warnings_policies_and_drift_are_told_without_alarm() {
    let mut word = agent_says();
    let policy = |name: &str| admin::Policy { name: name.into(), action: "deny".into(), enforced: false };
    let configuration = word.configuration.as_mut().unwrap();
    configuration.warnings = vec!["/etc/mesh.yaml:7: `node` is not used yet".into()];
    configuration.policies = vec![policy("demo/deny-all"), policy("demo/deny-9999")];
    let data_plane = word.data_plane.as_mut().unwrap();
    (data_plane.drifts, data_plane.writes, data_plane.destroyed) = (2, 17, 3);
    data_plane.notes = vec!["the last applied configuration was damaged and set aside".into()];
    insta::assert_snapshot!(shown(&Facts { agent: heard(Life::Running, word), ..healthy() }));
}

#[test]
fn pins_are_not_as_they_should_be() {
    let data_path = DataPath {
        hooks: 8,
        findings: vec![
            "/sys/fs/bpf/evermesh/links/connect4: its cgroup was removed or it was detached, so it hooks nothing".into(),
        ],
        phase: Some(2),
        pods: (1..=9).map(pod).collect(),
        ..data_path()
    };
    insta::assert_snapshot!(shown(&Facts { data_path, ..healthy() }));
}

#[test]
fn processes_of_a_pod_lie_outside_of_the_hooked_cgroup() {
    let outside = PodOutside {
        pod: "demo/web-2".into(),
        processes: 3,
        pid: 4711,
        cgroup: "/system.slice/web.service".into(),
    };
    let data_path = DataPath { pods_outside: vec![outside], ..data_path() };
    insta::assert_snapshot!(shown(&Facts { data_path, ..healthy() }));
}

#[test]
fn the_disk_is_full() {
    let mut word = agent_says();
    word.unsaved = Some("cannot write `/var/lib/evermesh/.last-applied.tmp`: check the disk".into());
    insta::assert_snapshot!(shown(&Facts { agent: heard(Life::Running, word), ..healthy() }));
}

#[test]
fn an_uninstall_was_interrupted() {
    let facts = Facts {
        supervisor: nobody(),
        agent: nobody(),
        data_path: DataPath::default(),
        record: Err("the configuration applied last cannot be read".into()),
        uninstall_begun: true,
        ..healthy()
    };
    insta::assert_snapshot!(shown(&facts));
}

#[test]
fn a_lease_that_is_over_is_a_problem() {
    let data_path = DataPath { heartbeat_age_ms: Some(30_001), ..data_path() };
    let view = StatusView::of(&Facts { data_path, ..healthy() });
    assert!(
        view.problems.iter().any(|problem| problem.contains("longer than the lease")),
        "{:?}",
        view.problems
    );
}

fn connected() -> ControlPlane {
    ControlPlane {
        address: "istiod.istio-system.svc:15012".into(),
        phase: Stream::Connected.into(),
        since_unix_ms: NOW - 7_260_000,
        synced_unix_ms: Some(NOW - 4_000),
        acks: 120,
        ..ControlPlane::default()
    }
}

fn lost() -> ControlPlane {
    ControlPlane {
        phase: Stream::Lost.into(),
        since_unix_ms: NOW - 300_000,
        synced_unix_ms: Some(NOW - 305_000),
        reason: Some("cannot connect: Connection refused".into()),
        ..connected()
    }
}

/// With an agent that follows this control plane.
fn following(control_plane: ControlPlane, life: Life) -> Facts {
    let source = "control plane istiod.istio-system.svc:15012".into();
    let word = Status { source, control_plane: Some(control_plane), ..agent_says() };
    Facts { agent: heard(life, word), ..healthy() }
}

#[test]
fn a_control_plane_is_followed() {
    let facts = following(connected(), Life::Running);
    insta::assert_snapshot!(shown(&facts));
    let json = serde_json::to_value(StatusView::of(&facts)).unwrap();
    insta::assert_snapshot!(
        "control_plane_json",
        serde_json::to_string_pretty(&json["control_plane"]).unwrap()
    );
}

#[test]
fn a_control_plane_that_is_not_reached_is_a_warning_and_no_problem() {
    insta::assert_snapshot!(shown(&following(lost(), Life::Running)));
}

#[test]
fn with_the_agent_dead_nobody_listens_to_the_control_plane() {
    insta::assert_snapshot!(shown(&following(connected(), Life::Dead)));
    insta::assert_snapshot!("dead_and_lost", shown(&following(lost(), Life::Dead)));
}

#[test]
fn a_control_plane_that_never_said_everything_is_a_problem() {
    let never = ControlPlane { synced_unix_ms: None, acks: 0, ..lost() };
    insta::assert_snapshot!(shown(&following(never, Life::Running)));
}

#[test]
fn what_is_refused_unkept_or_unresolved_is_told() {
    let refused =
        RefusedResource { kind: "Address".into(), name: "demo/odd".into(), reason: "lacks uid".into() };
    let control_plane = ControlPlane {
        nacks: 1,
        last_nack: Some("demo/odd: lacks uid".into()),
        refused: vec![refused],
        unkept: Some("cannot open the database `/var/lib/evermesh/xds`: no space left".into()),
        unresolved: (1..=5).map(|n| format!("db-{n}.example.com")).collect(),
        ..connected()
    };
    insta::assert_snapshot!(shown(&following(control_plane, Life::Running)));
}

#[test]
fn a_release_is_tried() {
    let mut facts = healthy();
    let candidate = Candidate {
        release: "c".repeat(64),
        trial: 2,
        tries_left: 1,
        under_way: false,
        reason: Some("the agent ended before it was ready (exit status: 1)".into()),
        accept_loss: vec![],
    };
    releases_of(&mut facts).candidate = Some(candidate);
    insta::assert_snapshot!(shown(&facts));
}

#[test]
fn a_release_is_held_and_the_ledger_was_damaged() {
    let mut facts = healthy();
    let kept = releases_of(&mut facts);
    kept.last = Some(TrialEnd {
        trial: 2,
        release: "c".repeat(64),
        committed: false,
        reason: Some("the agent hung after it was ready, within the gate".into()),
        unix_ms: NOW - 1_000,
    });
    kept.notes =
        vec!["the ledger of releases /s/releases/ledger.json is damaged: its checksum is another one".into()];
    insta::assert_snapshot!(shown(&facts));
}

fn releases_of(facts: &mut Facts) -> &mut Releases {
    let kept = Releases {
        running: Some("a".repeat(64)),
        committed: "a".repeat(64),
        previous: Some("b".repeat(64)),
        ..Releases::default()
    };
    facts.supervisor.word.as_mut().unwrap().releases.insert(kept)
}
