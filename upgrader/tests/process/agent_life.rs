//! How agents live and die under a supervisor.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::Command,
    time::{Duration, Instant},
};

use evermesh_handover::message::{Phase, State};
use nix::sys::signal::Signal;

use crate::rig::{GOOD, Rig, signal_agent, until, until_gone};

#[test]
fn a_ready_agent_is_shown_with_what_it_says() {
    let rig = Rig::new("watchdog\nsay READY=1\nlive");
    let supervisor = rig.start(&[]);
    let state = rig.until_running(&supervisor);
    assert_eq!(state.status.as_deref(), Some("watchdog 400ms"));
    assert_eq!((state.restarts["crash"], state.last_exit.as_deref()), (0, None));
    assert_eq!(rig.client().state().unwrap(), state);
}

#[test]
fn a_killed_agent_is_replaced_and_counted() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.start(&[]);
    let before = rig.until_running(&supervisor);
    for killed in 1..=3 {
        let state = rig.until_running(&supervisor);
        signal_agent(&state, Signal::SIGKILL).unwrap();
        rig.until_state("another agent", |new| {
            new.phase == Phase::Running && new.restarts["killed"] == killed
        });
    }
    let after = State::read(&rig.run_dir()).unwrap();
    assert_ne!(before.agent_pid, after.agent_pid);
    assert_eq!(after.last_exit.as_deref(), Some("signal: 9 (SIGKILL)"));
    assert!(supervisor.is_alive());
    assert_eq!((rig.starts(), rig.overlaps()), (4, 0));
}

#[test]
fn a_silent_agent_is_killed_and_replaced() {
    let rig = Rig::new("say READY=1\nhang");
    let supervisor = rig.start(&[]);
    let hung = rig.until_running(&supervisor);
    rig.script(GOOD);
    let state = rig
        .until_state("a replacement", |state| state.restarts["hung"] == 1 && state.phase == Phase::Running);
    assert_ne!(state.agent_pid, hung.agent_pid);
    until_gone(hung.agent_pid.unwrap());
    assert_eq!(rig.overlaps(), 0);
}

#[test]
fn a_stopped_agent_is_killed_and_replaced() {
    let rig = Rig::new(GOOD);
    let supervisor = rig.start(&[]);
    signal_agent(&rig.until_running(&supervisor), Signal::SIGSTOP).unwrap();
    rig.until_state("a replacement", |state| state.restarts["hung"] == 1 && state.phase == Phase::Running);
}

#[test]
fn an_agent_that_does_not_become_ready_is_killed_with_its_whole_group() {
    let rig = Rig::new("");
    let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", rig.path("child").display());
    let options = ["--start-timeout-ms", "300", "--agent", "/bin/sh", "--", "-c", &script];
    let mut supervisor = rig.spawn(rig.command(&options));
    let child = until("the agent's child", || fs::read_to_string(rig.path("child")).ok());
    rig.until_state("a replacement", |state| state.restarts["start-timeout"] == 1);
    until_gone(child.trim().parse().unwrap());
    // Told to end, the supervisor takes the group of the last agent with it.
    supervisor.signal(Signal::SIGTERM);
    assert_eq!(supervisor.ended(), Some(0));
}

#[test]
fn a_crash_loop_slows_down_and_does_not_end_the_supervisor() {
    let rig = Rig::new("exit 1");
    let mut supervisor = rig.start(&[]);
    let start = Instant::now();
    let state = rig.until_state("five crashes", |state| state.restarts["crash"] == 5);
    assert!(start.elapsed() >= Duration::from_millis(100 + 200 + 400), "{:?}", start.elapsed());
    assert_eq!((state.phase, state.agent_pid), (Phase::Backoff, None));
    rig.script(GOOD);
    rig.until_running(&supervisor);
    assert!(supervisor.is_alive());
}

#[test]
fn an_agent_dies_with_its_supervisor_and_the_next_supervisor_starts_at_once() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.start(&[]);
    for _ in 0..5 {
        let state = rig.until_running(&supervisor);
        supervisor.kill();
        supervisor = rig.start(&[]);
        until_gone(state.agent_pid.unwrap());
    }
    rig.until_running(&supervisor);
    assert_eq!(rig.overlaps(), 0);
}

#[test]
fn a_stopped_agent_dies_with_its_supervisor_too() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.start(&["--watchdog-ms", "60000"]);
    let state = rig.until_running(&supervisor);
    signal_agent(&state, Signal::SIGSTOP).unwrap();
    supervisor.kill();
    let next = rig.start(&[]);
    rig.until_running(&next);
    until_gone(state.agent_pid.unwrap());
}

#[test]
fn a_supervisor_that_was_stopped_itself_does_not_blame_its_agent() {
    let rig = Rig::new(GOOD);
    let supervisor = rig.start(&[]);
    let before = rig.until_running(&supervisor);
    signal_agent(&before, Signal::SIGSTOP).unwrap();
    supervisor.signal(Signal::SIGSTOP);
    // Nothing but time shows that more than twice the watchdog's time has passed.
    std::thread::sleep(Duration::from_millis(1200));
    supervisor.signal(Signal::SIGCONT);
    signal_agent(&before, Signal::SIGCONT).unwrap();
    assert_eq!(rig.client().state().unwrap(), before);
}

#[test]
fn only_the_agent_itself_is_heard() {
    let rig = Rig::new("say STATUS=waiting\nhang");
    let _supervisor = rig.start(&[]);
    rig.until_state("a start", |state| state.status.is_some());
    let stranger = UnixDatagram::unbound().unwrap();
    stranger.send_to(b"STATUS=hello\nREADY=1", rig.run_dir().notify_socket()).unwrap();
    let state = rig.client().state().unwrap();
    assert_eq!((state.phase, state.status.as_deref()), (Phase::Starting, Some("waiting")));
}

#[test]
fn a_reload_reaches_the_agent() {
    let rig = Rig::new(&format!("note-reloads\n{GOOD}"));
    let supervisor = rig.start(&[]);
    rig.until_running(&supervisor);
    supervisor.signal(Signal::SIGHUP);
    until("a reload", || fs::read_to_string(rig.path("reloads")).ok());
    assert_eq!(rig.starts(), 1);
}

#[test]
fn the_agents_arguments_and_environment_arrive() {
    let rig = Rig::new("");
    let script =
        r#"printf '%s\n' "$@" "$NOTIFY_SOCKET" "$WATCHDOG_USEC" "${WATCHDOG_PID-none}" > "$0"; exit 78"#;
    let (seen, socket) = (rig.path("seen"), rig.run_dir().notify_socket());
    let options =
        ["--agent", "/bin/sh", "--", "-c", script, seen.to_str().unwrap(), "--takeover", "a  b", "--"];
    let mut command: Command = rig.command(&options);
    command.env("WATCHDOG_PID", "1").env("WATCHDOG_USEC", "1");
    assert_eq!(rig.spawn(command).ended(), Some(78));
    let expected = format!("--takeover\na  b\n--\n{}\n5000000\nnone\n", socket.display());
    assert_eq!(fs::read_to_string(seen).unwrap(), expected);
}
