//! Shows the one thing Evermesh is for: kill any part of it, replace all of it, and no connection notices. Real servers and clients in
//! network namespaces, everything in a sandbox that leaves nothing behind.

mod acts;
mod table;

use std::{
    process::{ExitCode, exit},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use evermesh_chaos_tests::{
    faults::Fault,
    mesh::Mesh,
    oracle::{Event, Report, Verdict},
    sandbox::{self, Inventory, Sandbox},
    stage::{Stage, Traffic, config},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// A hung agent is replaced after this time.
const WATCHDOG_MS: &str = "1000";
/// More than the whole demo takes.
const AT_MOST: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let began = Instant::now();
    match play() {
        Ok(Verdict::Clean) => {
            say("clean", &format!("nothing failed, nothing is left behind; {} s", began.elapsed().as_secs()));
            ExitCode::SUCCESS
        }
        Ok(verdict) => {
            say("NOT CLEAN", &format!("{verdict:?}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("\nevermesh-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play() -> Result<Verdict> {
    let before = Inventory::now()?;
    let sandbox = Sandbox::new()?;
    clean_up_on_signal(&sandbox)?;
    say("sandbox", &format!("{}", sandbox.dir().display()));
    let report = perform(&sandbox).inspect_err(|_| eprintln!("{}", sandbox.logs()))?;
    sandbox.close()?;
    let left = Inventory::now()?.added_since(&before);
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(report.verdict())
}

fn perform(sandbox: &Sandbox) -> Result<Report> {
    let stage = Stage::new(sandbox)?;
    say("pods", "web-1, web-2, web-3 with servers, client, trap: each in its own network namespace");
    let began = Instant::now();
    let mut mesh = Mesh::start(sandbox, &config::with(&stage.web), &["--watchdog-ms", WATCHDOG_MS])?;
    stage.enrolled().try_for_each(|pod| mesh.pod_add(pod))?;
    say("evermesh run", &format!("ready and pods enrolled after {} ms", began.elapsed().as_millis()));
    acts::fetch(&stage)?;
    let traffic = Traffic::start(&stage, AT_MOST)?;
    say("traffic", "TCP, UDP and streams without pauses, by IPv4, IPv6 and v4-mapped; some must be refused");
    let events = disturb(&mut mesh, &stage, sandbox)?;
    let report = traffic.judge(&stage, events)?;
    conclude(&report);
    mesh.interrupt()?;
    say("Ctrl-C", "nothing of Evermesh runs any more; what it has put into the kernel stays:");
    acts::fetch(&stage)?;
    mesh.uninstall()?;
    say("uninstall", "every pin is gone");
    Ok(report)
}

fn disturb(mesh: &mut Mesh<'_>, stage: &Stage, sandbox: &Sandbox) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for (fault, times) in
        [(Fault::KillAgent, 3), (Fault::KillSupervisor, 3), (Fault::KillBoth, 3), (Fault::HangAgent, 2)]
    {
        events.extend(acts::faults(mesh, fault, times)?);
    }
    events.extend(acts::change_endpoints(mesh, stage)?);
    events.push(acts::wrong_file(mesh, stage)?);
    events.extend(acts::releases(mesh, sandbox.dir())?);
    Ok(events)
}

fn conclude(report: &Report) {
    let mut kinds: Vec<String> = report.events.iter().map(|e| e.event.kind.clone()).collect();
    kinds.dedup();
    println!("\n{}\n", table::of(report, &kinds));
    if report.verdict() != Verdict::Clean {
        println!("{report}");
    }
}

/// One line a step.
fn say(step: &str, what: &str) {
    println!("{step:>18}  {what}");
}

/// Ctrl-C leaves nothing behind either.
fn clean_up_on_signal(sandbox: &Sandbox) -> Result<()> {
    let name = sandbox.name().clone();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            if let Err(error) = sandbox::remove(&name) {
                eprintln!("evermesh-demo: {error}");
            }
            exit(128 + signal);
        }
    });
    Ok(())
}
