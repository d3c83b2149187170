//! An agent for these tests: this very test program, started by a supervisor as `--ignored --exact ...`.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use evermesh_handover::errand::ACCEPT_LOSS;
use nix::fcntl::{Flock, FlockArg};
use sd_notify::NotifyState;
use signal_hook::{
    consts::{SIGHUP, SIGTERM},
    flag,
    iterator::Signals,
};

use crate::rig::until;

/// The directory of the rig, in the agent's environment.
pub const DIR: &str = "EVERMESH_TEST_AGENT_DIR";
/// Which script is played; `script` if this is not set.
pub const SCRIPT: &str = "EVERMESH_TEST_AGENT_SCRIPT";
/// What makes the test program be the agent.
pub const ARGS: [&str; 4] = ["--ignored", "--exact", "--nocapture", "scripted_agent::scripted_agent"];

#[test]
#[ignore = "it is the agent of the other tests"]
fn scripted_agent() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    append(&dir.join("starts"), &process::id().to_string());
    let script = std::env::var(SCRIPT).unwrap_or("script".into());
    append(&dir.join("played"), &script);
    if let Ok(maps) = std::env::var(ACCEPT_LOSS) {
        append(&dir.join("may-lose"), &format!("{script} {maps}"));
    }
    let _alone = alone(&dir);
    for step in fs::read_to_string(dir.join(script)).unwrap().lines() {
        play(&dir, step);
    }
    process::exit(0);
}

fn play(dir: &Path, step: &str) {
    let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
    match word {
        "say" => sd_notify::notify(&[NotifyState::Custom(rest)]).unwrap(),
        "watchdog" => {
            let time = sd_notify::watchdog_enabled().unwrap();
            sd_notify::notify(&[NotifyState::Status(&format!("watchdog {time:?}"))]).unwrap();
        }
        "live" => live(),
        "hang" => loop {
            thread::park();
        },
        "wait" => thread::sleep(Duration::from_millis(rest.parse().unwrap())),
        "await" => until(rest, || dir.join(rest).exists().then_some(())),
        "fork" => fork(&dir.join("child")),
        "complain" => eprintln!("{rest}"),
        "note-reloads" => note_reloads(dir.join("reloads")),
        "ignore-sigterm" => drop(flag::register(SIGTERM, Arc::new(AtomicBool::new(false))).unwrap()),
        "exit" => process::exit(rest.parse().unwrap()),
        _ => panic!("no step {step:?}"),
    }
}

#[expect(clippy::zombie_processes, reason = "whoever ends the agent ends its group")]
fn fork(pid: &Path) {
    let child = process::Command::new("sleep").arg("1000").spawn().unwrap();
    append(pid, &child.id().to_string());
}

fn live() -> ! {
    loop {
        sd_notify::notify(&[NotifyState::Watchdog]).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
}

fn note_reloads(path: PathBuf) {
    let mut signals = Signals::new([SIGHUP]).unwrap();
    thread::spawn(move || {
        for _ in signals.forever() {
            append(&path, "reload");
        }
    });
}

/// Two agents that live at the same time are written down.
fn alone(dir: &Path) -> Option<Flock<File>> {
    let file = OpenOptions::new().create(true).append(true).open(dir.join("alone")).unwrap();
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok();
    if lock.is_none() {
        append(&dir.join("overlaps"), &process::id().to_string());
    }
    lock
}

fn append(path: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}
