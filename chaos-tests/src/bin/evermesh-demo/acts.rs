//! What happens in the demo, one act after the other. Each tells in a line what it did.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use evermesh_chaos_tests::{
    Error,
    client::{ClientProcess, ClientSpec, Kind},
    clock::now_ns,
    faults::Fault,
    mesh::{Mesh, MeshEndpoint},
    oracle::{Event, Oracle, Rules, Timeline, Verdict},
    pod::Pod,
    release,
    stage::{
        Stage,
        config::{self, ANSWER, HTTP, WEB},
        expect, targets,
    },
    wait,
};

use crate::say;

/// Between two events, so that "before" and "after" show an undisturbed mesh.
const CALM: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(20);

/// Fetches a page through both virtual IPs, with curl where there is one.
pub fn fetch(stage: &Stage) -> Result<()> {
    let curl_exists = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    for vip in WEB {
        let target = SocketAddr::new(vip.parse()?, HTTP.port);
        let answer = if curl_exists { curl(&stage.client, target)? } else { stage.client.fetch(target)? };
        let (fetcher, who) = (if curl_exists { "curl" } else { "GET" }, answer.trim());
        ensure!(stage.web.iter().any(|pod| pod.name() == who), "http://{target}/ is answered by {who}");
        say(fetcher, &format!("http://{target}/ is answered by {who}"));
    }
    Ok(())
}

fn curl(pod: &Pod, target: SocketAddr) -> Result<String> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "5", &format!("http://{target}/")]);
    Ok(pod.run(curl)?)
}

/// Does it as often, a calm moment after each.
pub fn faults(mesh: &mut Mesh<'_>, fault: Fault, times: usize) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for _ in 0..times {
        sleep(CALM);
        events.push(fault.inflict(mesh)?);
    }
    tell(&events, "until an agent is ready again");
    Ok(events)
}

/// Takes the last pod out of the service and puts it back.
pub fn change_endpoints(mesh: &Mesh<'_>, stage: &Stage) -> Result<Vec<Event>> {
    let Some((last, others)) = stage.web.split_last() else { return Ok(Vec::new()) };
    let all = mesh.endpoints()?;
    let remaining = all.iter().filter(|e| !last.addresses().contains(&e.address)).cloned().collect();
    sleep(CALM);
    let removed = change(mesh, "endpoint removed", &config::with(others), &remaining)?;
    only_these_answer(stage, others)?;
    sleep(CALM);
    let added = change(mesh, "endpoint added", &config::with(&stage.web), &all)?;
    Ok(vec![removed, added])
}

/// Replaces the file and waits until the kernel's tables have exactly these endpoints.
fn change(mesh: &Mesh<'_>, kind: &str, config: &str, expected: &BTreeSet<MeshEndpoint>) -> Result<Event> {
    let start_ns = now_ns();
    mesh.write_config(config)?;
    let arrived = || mesh.endpoints().is_ok_and(|now| now == *expected).then_some(());
    wait::until(&format!("the kernel to have it: {kind}"), PATIENCE, arrived)?;
    let event = Event { kind: kind.to_owned(), start_ns, end_ns: now_ns() };
    tell(std::slice::from_ref(&event), "until the kernel has it");
    Ok(event)
}

/// A client of its own checks that nobody else answers any more.
fn only_these_answer(stage: &Stage, pods: &[Pod]) -> Result<()> {
    let targets = targets(WEB, ANSWER.port, &expect(pods));
    let spec = ClientSpec { kind: Kind::Greeting, targets, at_most: CALM };
    let client = ClientProcess::start(&stage.client, "after-removal", &spec)?;
    sleep(CALM);
    let mut oracle = Oracle::new(Timeline::default(), Rules::default());
    oracle.recording("after-removal", &client.stop()?)?;
    let report = oracle.finish();
    ensure!(report.verdict() == Verdict::Clean, "a removed endpoint still answers: {report}");
    Ok(())
}

/// Gives Evermesh a file it cannot accept; the good one must stay in force.
pub fn wrong_file(mesh: &Mesh<'_>, stage: &Stage) -> Result<Event> {
    sleep(CALM);
    let before = mesh.endpoints()?;
    let start_ns = now_ns();
    mesh.write_config(&config::wrong(&stage.web))?;
    let refusal = wait::until("the wrong file to be refused", PATIENCE, || mesh.refusal().ok().flatten())?;
    let event = Event { kind: "wrong file".to_owned(), start_ns, end_ns: now_ns() };
    ensure!(mesh.endpoints()? == before, "a refused file changed the kernel's tables");
    say("wrong file", "refused, the last good state stays:");
    let place = format!("{}/", mesh.config().parent().unwrap_or(Path::new("")).display());
    refusal.reason.lines().for_each(|line| say("", &line.replace(&place, "")));
    mesh.write_config(&config::with(&stage.web))?;
    wait::until("the good file to be accepted", PATIENCE, || mesh.refusal().ok()?.is_none().then_some(()))?;
    Ok(event)
}

/// Upgrades to a release with other kernel programs, goes back, and is given one that leads flows astray.
pub fn releases(mesh: &Mesh<'_>, dir: &Path) -> Result<Vec<Event>> {
    let (other, bad) = (release::of_variant(dir, "other")?, release::of_variant(dir, "misroute")?);
    let upgraded = command(mesh, "upgraded", &["upgrade".as_ref(), "--to".as_ref(), other.as_os_str()])?;
    let back = command(mesh, "downgraded", &["upgrade".as_ref(), "rollback".as_ref()])?;
    sleep(CALM);
    let before = mesh.generation()?;
    let start_ns = now_ns();
    let refusal = match mesh.command(&["upgrade".as_ref(), "--to".as_ref(), bad.as_os_str()]) {
        Err(Error::Command { stderr, .. }) => stderr,
        Err(error) => return Err(error.into()),
        Ok(said) => bail!("a release that leads flows astray was committed: {said}"),
    };
    mesh.await_agent(None)?;
    let event = Event { kind: "bad release".to_owned(), start_ns, end_ns: now_ns() };
    ensure!(mesh.generation()? == before, "a release that was refused left its programs");
    say(&event.kind, "refused, the one before runs on:");
    refusal.lines().for_each(|line| say("", line));
    Ok(vec![upgraded, back, event])
}

fn command(mesh: &Mesh<'_>, kind: &str, arguments: &[&OsStr]) -> Result<Event> {
    sleep(CALM);
    let start_ns = now_ns();
    mesh.command(arguments)?;
    mesh.await_agent(None)?;
    let event = Event { kind: kind.to_owned(), start_ns, end_ns: now_ns() };
    tell(std::slice::from_ref(&event), "until it is committed");
    Ok(event)
}

fn tell(events: &[Event], until: &str) {
    let Some(first) = events.first() else { return };
    let longest_ns = events.iter().map(|e| e.end_ns - e.start_ns).max().unwrap_or(0);
    let times =
        if events.len() == 1 { "once,".to_owned() } else { format!("{} times, at most", events.len()) };
    say(&first.kind, &format!("{times} {} ms {until}", longest_ns / 1_000_000));
}
