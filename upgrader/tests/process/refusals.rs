//! Starts that are refused, and what the user reads then.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::rig::{GOOD, Rig, Supervisor};

/// The words without what differs from run to run.
fn words(rig: &Rig, supervisor: &Supervisor) -> String {
    let dir = rig.path("").display().to_string();
    supervisor.words().replace(dir.trim_end_matches('/'), "DIR")
}

#[test]
fn a_second_supervisor() {
    let rig = Rig::new(GOOD);
    let first = rig.start(&[]);
    let before = rig.until_running(&first);
    let mut second = rig.start(&[]);
    assert_eq!(second.ended(), Some(75));
    insta::assert_snapshot!(words(&rig, &second).replace(&format!("pid {}", first.pid()), "pid PID"), @"evermesh-supervisor: another evermesh supervisor (pid PID) runs in DIR/run; stop it first, take over from it with --takeover, or choose another --run-dir");
    assert_eq!(rig.client().state().unwrap(), before);
}

#[test]
fn what_a_dead_process_left_refuses_nothing() {
    let rig = Rig::new(GOOD);
    fs::create_dir(rig.path("run")).unwrap();
    let own = std::process::id();
    fs::write(rig.run_dir().lock(), format!("{own}\n")).unwrap();
    for file in [rig.run_dir().control_socket(), rig.run_dir().notify_socket(), rig.run_dir().state_file()] {
        fs::write(file, "left").unwrap();
    }
    let supervisor = rig.start(&[]);
    rig.until_running(&supervisor);
    assert_eq!(fs::read_to_string(rig.run_dir().lock()).unwrap(), format!("{}\n", supervisor.pid()));
}

#[test]
fn a_run_directory_that_cannot_be_made() {
    let rig = Rig::new(GOOD);
    fs::write(rig.path("run"), "a file").unwrap();
    let mut supervisor = rig.start(&[]);
    assert_eq!(supervisor.ended(), Some(78));
    insta::assert_snapshot!(words(&rig, &supervisor), @"evermesh-supervisor: cannot create the run directory DIR/run: File exists (os error 17); choose another one with --run-dir");
}

#[test]
fn a_state_directory_on_a_read_only_file_system() {
    let rig = Rig::new(GOOD);
    fs::create_dir(rig.path("state")).unwrap();
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    mount(Some("tmpfs"), &rig.path("state"), Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>).unwrap();
    let mut supervisor = rig.start(&[]);
    assert_eq!(supervisor.ended(), Some(78));
    insta::assert_snapshot!(words(&rig, &supervisor), @"evermesh-supervisor: cannot write to the state directory DIR/state: Read-only file system (os error 30); make it writable or choose another one with --state-dir");
    assert_eq!(rig.starts(), 0);
}

#[test]
fn an_agent_that_is_not_there() {
    let rig = Rig::new(GOOD);
    let mut supervisor = rig.spawn(rig.command(&["--agent", "/no/agent"]));
    assert_eq!(supervisor.ended(), Some(78));
    assert!(supervisor.log().contains("cannot start the agent /no/agent: No such file or directory"));
}

#[test]
fn a_command_line_that_is_wrong() {
    let rig = Rig::new(GOOD);
    assert_eq!(rig.spawn(rig.command(&["--watchdog-ms", "0"])).ended(), Some(2));
}

#[test]
fn a_takeover_in_a_version_of_the_future() {
    let rig = Rig::new(GOOD);
    let supervisor = rig.start(&[]);
    let before = rig.until_running(&supervisor);
    let mut stream = UnixStream::connect(rig.run_dir().control_socket()).unwrap();
    stream.write_all(b"{\"version\":7,\"message\":{\"kind\":\"ask\",\"oath\":true}}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    insta::assert_snapshot!(answer.trim_end(), @r#"{"version":0,"message":{"kind":"refused","reason":"messages of version 7 are not understood here, only those of version 0","versions":[0]}}"#);
    assert_eq!(rig.client().state().unwrap(), before);
}
