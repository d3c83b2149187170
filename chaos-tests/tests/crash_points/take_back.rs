//! A supervisor that takes back from one that has died is disturbed itself: killed, the next start finishes what it began; after
//! an error it goes on, or ends and the next start does.

use std::path::Path;

use evermesh_chaos_tests::{
    Result, binaries,
    clock::now_ns,
    mesh::Mesh,
    oracle::{Event, Verdict},
    process::Process,
    stage::under_traffic,
    wait,
};
use nix::sys::signal::Signal;

use crate::{
    points::{KILL, Point, errors, kind_of, points},
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
    survive(&[KILL.to_owned()]);
}

#[test]
fn a_supervisor_that_takes_back_and_meets_an_error_at_any_call_goes_on_or_is_made_up_for() {
    survive(&errors());
}

fn survive(faults: &[String]) {
    let dir = tempfile::tempdir().unwrap();
    let own = binaries::find("evermesh").unwrap();
    let own = own.parent().unwrap();
    let trace = dir.path().join("trace");
    let (mut planned, mut survival) = (Vec::<String>::new(), None);
    let report = under_traffic(&FLAGS, |_, mesh| {
        let calls = undisturbed(mesh, own, &trace)?;
        assert!(calls.len() > 10, "{calls:?}");
        let chosen = points(&calls, faults, SAMPLE, 19);
        planned = chosen.iter().map(kind_of).collect();
        survival = Some(Survival::of(&planned));
        chosen.into_iter().map(|point| disturbed(mesh, own, &trace, &point)).collect()
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    let mut survival = survival.unwrap();
    planned.iter().for_each(|point| survival.survived(point));
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

fn disturbed(mesh: &mut Mesh<'_>, own: &Path, trace: &Path, (call, fault): &Point<'_>) -> Result<Event> {
    let start_ns = now_ns();
    let new = seated(mesh, own)?;
    let strace = Attached::to(mesh.supervisor_pid().unwrap(), &call.inject(fault), trace)?;
    new.signal(Signal::SIGKILL)?;
    // How often it looks whether the seat is free differs: the last calls may be those of a supervisor that has taken back.
    wait::until("the end of the supervisor, or of what it did", PATIENCE, || {
        (strace.has_let_go() || mesh.serves()).then_some(())
    })?;
    drop(strace);
    mesh.interrupt()?;
    mesh.restart()?;
    assert_eq!(mesh.generation()?, Some(1), "after {fault} of {call:?}");
    Ok(Event { kind: fault.clone(), start_ns, end_ns: now_ns() })
}

/// A new supervisor, to which the old one has yielded.
fn seated(mesh: &mut Mesh<'_>, own: &Path) -> Result<Process> {
    mesh.set_flags(&NEWCOMER);
    let new = mesh.challenged_by(own)?;
    mesh.set_flags(&FLAGS);
    mesh.await_phase_of(Some(new.pid()), "starting")?;
    Ok(new)
}
