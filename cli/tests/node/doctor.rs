use std::{
    fs::{self, File},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
};

use evermesh_pins::{Hook, sys};
use serde_json::Value;

use crate::sandbox::Sandbox;

const NOBODY: u32 = 65_534;

fn check<'a>(seen: &'a Value, name: &str) -> &'a Value {
    let checks = seen["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {seen:#}"))
}

fn missing(seen: &Value) -> Vec<&str> {
    let checks = seen["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["verdict"] == "missing")
        .map(|check| check["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_host_is_looked_at_before_during_and_after() {
    let sandbox = Sandbox::new();
    let doctor = ["doctor", "--cgroup", sandbox.cgroup().to_str().unwrap()];
    let before = sandbox.json(&doctor);
    assert_eq!(missing(&before), [""; 0], "{before:#}");
    assert!(sandbox.call(&doctor).status.success());
    assert_eq!(before["tables_bytes_standing"], Value::Null);
    assert!(!sandbox.path("bpf/evermesh").exists());

    let running = sandbox.start();
    let during = sandbox.json(&["doctor"]);
    assert_eq!(missing(&during), [""; 0], "{during:#}");
    for (hook, seen) in Hook::ALL.iter().zip(during["hooks"].as_array().unwrap()) {
        assert_eq!(seen["hook"], hook.name());
        let [program] = seen["programs"].as_array().unwrap().as_slice() else { panic!("{seen:#}") };
        assert_eq!((&program["ours"], &program["name"]), (&true.into(), &hook.name().into()));
    }

    running.stop();
    let standing = sandbox.standing();
    assert_eq!(sandbox.json(&["doctor"])["hooks"], during["hooks"]);
    assert_eq!(sandbox.standing(), standing);
}

#[test]
fn tables_take_what_was_said_before_they_were_made() {
    let sandbox = Sandbox::new();
    let room = ["--max-services", "2000", "--max-endpoints", "30000"];
    let before = sandbox.json(&[["doctor"].as_slice(), &room].concat());
    let _running = sandbox.start_with(&room);
    let after = sandbox.json(&["doctor"]);
    for (said, made) in before["tables"].as_array().unwrap().iter().zip(after["tables"].as_array().unwrap()) {
        assert_eq!(said["entries"], made["standing_entries"], "{said:#} {made:#}");
        let (said_bytes, bytes) = (&said["bytes_empty"], made["standing_bytes"].as_u64().unwrap());
        // Maps have a head too, which counts in small ones.
        let (low, high) =
            (said_bytes.as_u64().unwrap() * 9 / 10, said_bytes.as_u64().unwrap() * 11 / 10 + 8192);
        assert!((low..=high).contains(&bytes), "{said:#} {made:#}");
    }
}

#[test]
fn a_pin_that_is_nobodys_is_named() {
    let sandbox = Sandbox::new();
    let _running = sandbox.start();
    let leaked = sandbox.path("bpf/evermesh/leaked");
    let map = sys::array_create("leaked", 8).unwrap();
    sys::object_pin(map.map().as_fd(), &leaked).unwrap();
    let seen = sandbox.json(&["doctor"]);
    let pins = check(&seen, "pins");
    assert_eq!(pins["verdict"], "degraded", "{pins:#}");
    assert!(pins["finding"].as_str().unwrap().starts_with(leaked.to_str().unwrap()), "{pins:#}");
}

#[test]
fn programs_of_others_are_named_in_their_order() {
    let sandbox = Sandbox::new();
    let cgroup = File::open(sandbox.cgroup()).unwrap();
    let attach = |hook: Hook| {
        let program = sys::program_trial(hook).unwrap();
        sys::link_create(program.as_fd(), cgroup.as_fd(), hook.attach_type()).unwrap()
    };
    let _before = attach(Hook::Connect4);
    let _running = sandbox.start();
    let _after = attach(Hook::SendMsg6);
    let _beside = attach(Hook::SockRelease);
    let below = sandbox.cgroup().join("further/down");
    fs::create_dir_all(&below).unwrap();
    let program = sys::program_trial(Hook::Connect6).unwrap();
    let opened = File::open(&below).unwrap();
    let below_ours = sys::link_create(program.as_fd(), opened.as_fd(), Hook::Connect6.attach_type()).unwrap();

    let seen = sandbox.json(&["doctor"]);
    let others = check(&seen, "other_programs");
    assert_eq!(others["verdict"], "degraded");
    let finding = others["finding"].as_str().unwrap();
    for (hook, order) in [("connect4", "before"), ("sendmsg6", "after"), ("sock_release", "after")] {
        let told = finding.split("; ").find(|told| told.starts_with(hook)).unwrap();
        assert!(told.ends_with(&format!("{order} ours)")), "{finding}");
    }
    assert!(finding.ends_with("; and 1 more"), "{finding}");
    let hooks = seen["hooks"].as_array().unwrap();
    let connect6 = hooks.iter().find(|hook| hook["hook"] == "connect6").unwrap();
    assert_eq!(connect6["below"][0]["cgroup"], below.to_str().unwrap());
    drop(below_ours);
    fs::remove_dir(&below).unwrap();
    fs::remove_dir(below.parent().unwrap()).unwrap();
}

#[test]
fn what_is_missing_is_told_with_its_cost() {
    let sandbox = Sandbox::new();
    let elsewhere = sandbox.path("elsewhere");
    let output = sandbox.call(&["doctor", "--bpffs", elsewhere.to_str().unwrap()]);
    let told = sandbox.told(&output);
    assert_eq!(output.status.code(), Some(78), "{told}");
    // What could be better is this host's, and that of others who hook something on it.
    let better = |line: &str| line.ends_with(" could be better)");
    let without = |line| if better(line) { line.rsplit_once(" (").unwrap().0 } else { line };
    insta::assert_snapshot!(told.lines().take(6).map(without).collect::<Vec<_>>().join("\n"));
    assert!(!elsewhere.exists());
}

#[test]
fn somebody_who_is_not_root_is_told_what_could_not_be_looked_at() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.evermesh(&["doctor", "--output", "json"]);
    let output = command.current_dir("/").uid(NOBODY).gid(NOBODY).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(missing(&seen).contains(&"root"), "{seen:#}");
    for name in ["map_kinds", "program_kinds", "other_programs", "cap_bpf"] {
        assert_eq!(check(&seen, name)["verdict"], "unknown", "{seen:#}");
    }
}
