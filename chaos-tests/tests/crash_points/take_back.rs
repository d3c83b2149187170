//! A supervisor that takes back from one that has died is killed itself: the next start finishes what it began.

use std::path::Path;

use evermesh_chaos_tests::{
    Result, binaries,
    clock::now_ns,
    faults::random,
    mesh::Mesh,
    oracle::{Event, Verdict},
    process::Process,
    stage::under_traffic,
    wait,
};
use nix::sys::signal::Signal;
use rand::RngExt;

use crate::{
    all,
    strace::{Attached, Call, PATIENCE, listed},
    survival::Survival,
};

/// Calls by which a supervisor takes back and starts its agent.
const CALLS: &str = "openat,write,fsync,unlink,rename,flock,bind,listen,chmod,clone,clone3,vfork,sendto,kill,pidfd_open,ftruncate";
/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 2;
/// So long that no agent is replaced because the machine is slow.
const FLAGS: [&str; 2] = ["--watchdog-ms", "20000"];
/// Its agent makes a generation, and is not ready as long as that is on trial.
const NEWCOMER: [&str; 6] = ["--watchdog-ms", "20000", "--max-endpoints", "40000", "--gate-ms", "60000"];

#[test]
fn a_supervisor_that_takes_back_and_is_killed_at_any_call_is_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let own = binaries::find("evermesh").unwrap();
    let own = own.parent().unwrap();
    let trace = dir.path().join("trace");
    let (mut planned, mut survival) = (Vec::<String>::new(), None);
    let report = under_traffic(&FLAGS, |_, mesh| {
        let calls = undisturbed(mesh, own, &trace)?;
        assert!(calls.len() > 10, "{calls:?}");
        let mut random = random(19);
        let chosen: Vec<&Call> = match all() {
            true => calls.iter().collect(),
            false => (0..SAMPLE).map(|_| &calls[random.random_range(0..calls.len())]).collect(),
        };
        planned = chosen.iter().map(|call| call.name.clone()).collect();
        survival = Some(Survival::of(&planned));
        chosen.into_iter().map(|call| killed(mesh, own, &trace, call)).collect()
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    let mut survival = survival.unwrap();
    planned.iter().for_each(|call| survival.survived(call));
}

/// The calls that it takes.
fn undisturbed(mesh: &mut Mesh<'_>, own: &Path, trace: &Path) -> Result<Vec<Call>> {
    let new = seated(mesh, own)?;
    let strace = Attached::to(mesh.supervisor_pid().unwrap(), &format!("trace={CALLS}"), trace)?;
    new.signal(Signal::SIGKILL)?;
    mesh.await_agent(None)?;
    drop(strace);
    Ok(listed(trace))
}

fn killed(mesh: &mut Mesh<'_>, own: &Path, trace: &Path, call: &Call) -> Result<Event> {
    let start_ns = now_ns();
    let new = seated(mesh, own)?;
    let what = call.inject("signal=SIGKILL");
    let strace = Attached::to(mesh.supervisor_pid().unwrap(), &what, trace)?;
    new.signal(Signal::SIGKILL)?;
    // How often it looks whether the seat is free differs: the last calls may be those of a supervisor that has taken back.
    wait::until("the end of the supervisor, or of what it did", PATIENCE, || {
        (strace.has_let_go() || mesh.serves()).then_some(())
    })?;
    drop(strace);
    mesh.interrupt()?;
    mesh.restart()?;
    assert_eq!(mesh.generation()?, Some(1), "after {call:?}");
    Ok(Event { kind: "killed".into(), start_ns, end_ns: now_ns() })
}

/// A new supervisor, to which the old one has yielded.
fn seated(mesh: &mut Mesh<'_>, own: &Path) -> Result<Process> {
    mesh.set_flags(&NEWCOMER);
    let new = mesh.challenged_by(own)?;
    mesh.set_flags(&FLAGS);
    mesh.await_phase_of(Some(new.pid()), "starting")?;
    Ok(new)
}
