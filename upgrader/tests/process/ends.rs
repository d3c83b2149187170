//! How a supervisor ends, and what it leaves.

use std::{os::unix::net::UnixStream, process::Stdio, time::Duration};

use evermesh_handover::{
    Intent,
    message::{Phase, State},
};
use nix::sys::signal::Signal;

use crate::rig::{GOOD, Rig, signal_agent, until_gone};

const PATIENCE: Duration = Duration::from_secs(25);

#[test]
fn sigterm_ends_both_and_says_that_the_data_path_is_kept() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let rig = Rig::new(GOOD);
        let mut supervisor = rig.start(&[]);
        let state = rig.until_running(&supervisor);
        supervisor.signal(signal);
        assert_eq!(supervisor.ended(), Some(0));
        until_gone(state.agent_pid.unwrap());
        assert_eq!(
            supervisor.words(),
            "Evermesh has stopped. The data path is kept: services stay reachable as they are configured now.\n\
             Start it again with `evermesh run`, or remove the data path with `evermesh uninstall`."
        );
    }
}

#[test]
fn what_a_dead_supervisor_leaves_says_so() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.start(&[]);
    rig.until_running(&supervisor);
    supervisor.signal(Signal::SIGTERM);
    supervisor.ended();
    let state = State::read(&rig.run_dir()).unwrap();
    assert_eq!((state.phase, state.agent_pid), (Phase::Ended, None));
    assert!(!rig.run_dir().control_socket().exists() && !rig.run_dir().notify_socket().exists());
}

#[test]
fn an_agent_that_does_not_end_is_killed() {
    let rig = Rig::new(&format!("ignore-sigterm\n{GOOD}"));
    let mut supervisor = rig.start(&["--stop-timeout-ms", "200"]);
    let state = rig.until_running(&supervisor);
    supervisor.signal(Signal::SIGTERM);
    assert_eq!(supervisor.ended(), Some(0));
    until_gone(state.agent_pid.unwrap());
    assert_eq!(State::read(&rig.run_dir()).unwrap().last_exit.as_deref(), Some("signal: 9 (SIGKILL)"));
}

#[test]
fn a_stop_request_returns_when_everything_has_ended() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.start(&[]);
    let state = rig.until_running(&supervisor);
    rig.client().stop(Intent::Uninstall, PATIENCE).unwrap();
    assert_eq!(signal_agent(&state, Signal::SIGTERM), Err(nix::errno::Errno::ESRCH));
    assert!(!rig.run_dir().control_socket().exists());
    assert_eq!(supervisor.ended(), Some(0));
    insta::assert_snapshot!(supervisor.words(), @"Evermesh has stopped, to be uninstalled.");
}

#[test]
fn an_unusable_configuration_is_shown_at_once() {
    let rig = Rig::new("complain mesh.yaml:3: unknown field\nexit 78");
    let mut supervisor = rig.start(&[]);
    assert_eq!(supervisor.ended(), Some(78));
    assert!(supervisor.words().starts_with("mesh.yaml:3: unknown field\n"), "{}", supervisor.words());
    assert_eq!(rig.starts(), 1);
}

#[test]
fn a_configuration_that_becomes_unusable_later_is_kept_in_sight() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.start(&[]);
    let state = rig.until_running(&supervisor);
    rig.script("say STATUS=mesh.yaml:3: unknown field\nexit 78");
    signal_agent(&state, Signal::SIGKILL).unwrap();
    let state = rig.until_state("three tries", |state| state.restarts["config"] == 3);
    assert_eq!(state.status.as_deref(), Some("mesh.yaml:3: unknown field"));
    assert!(supervisor.is_alive());
}

#[test]
fn a_recorded_intent_is_cleared_by_a_start() {
    let rig = Rig::new(GOOD);
    std::fs::create_dir(rig.path("state")).unwrap();
    Intent::Uninstall.record(&rig.path("state")).unwrap();
    let supervisor = rig.start(&[]);
    rig.until_running(&supervisor);
    assert_eq!(Intent::recorded(&rig.path("state")).intent, Intent::Restart);
    assert!(supervisor.log().contains("the recorded intent `uninstall` is cleared"), "{}", supervisor.log());
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let rig = Rig::new(GOOD);
    let mut command = rig.command(&["--watchdog-ms", "400", "--agent"]);
    command.arg(std::env::current_exe().unwrap()).arg("--").args(crate::scripted_agent::ARGS);
    let (reader, writer) = UnixStream::pair().unwrap();
    drop(reader);
    let mut supervisor =
        command.stdout(Stdio::null()).stderr(std::os::fd::OwnedFd::from(writer)).spawn().unwrap();
    let running = || rig.until_state("running", |state| state.phase == Phase::Running);
    signal_agent(&running(), Signal::SIGKILL).unwrap();
    rig.until_state("a replacement", |state| state.restarts["killed"] == 1 && state.phase == Phase::Running);
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
}
