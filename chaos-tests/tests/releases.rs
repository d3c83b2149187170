//! Other releases are tried under traffic: good ones, the way back, and ones that are no good.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use evermesh_chaos_tests::{
    Error, Result, binaries,
    clock::now_ns,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};

/// So long that no agent is replaced because the machine is slow.
const FLAGS: [&str; 2] = ["--watchdog-ms", "20000"];
const PROGRAMS: [&str; 3] = ["evermesh", "evermesh-supervisor", "evermesh-agent"];

#[test]
fn upgrade_rollback_and_releases_that_are_no_good_go_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    let other = release(dir.path(), "other", |_| ());
    let crashing = release(dir.path(), "crashing", |dir| script(dir, "exit 1"));
    let hanging = release(dir.path(), "hanging", |dir| {
        fs::rename(dir.join("evermesh-agent"), dir.join("agent")).unwrap();
        // Ready or not, it is stopped before the gate is over.
        let agent = dir.join("agent");
        script(dir, &format!("(sleep 1; kill -STOP $$) >/dev/null 2>&1 &\nexec {} \"$@\"", agent.display()));
    });
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = vec![tried("upgraded", mesh, &["upgrade", "--to", other.to_str().unwrap()])?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        assert_eq!(releases(mesh)?["running"], committed);
        events.push(tried("restarted", mesh, &[])?);
        assert_eq!(
            releases(mesh)?["running"],
            committed,
            "the committed release runs, not the one that was started"
        );
        events.push(tried("rolled back", mesh, &["upgrade", "rollback"])?);
        let first = releases(mesh)?["committed"]["release"].clone();
        assert_ne!(first, committed);
        for (what, release) in [("crashed", &crashing), ("hung", &hanging)] {
            events.push(refused(what, mesh, release)?);
            mesh.await_agent(None)?;
            let seen = releases(mesh)?;
            assert_eq!((&seen["running"], &seen["committed"]["release"]), (&first, &first), "{seen:#}");
            assert_eq!(seen["last"]["committed"], false, "{seen:#}");
        }
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 5), "{report}");
}

/// The programs under test with another digest, spoilt by `spoil`.
fn release(dir: &Path, name: &str, spoil: impl Fn(&Path)) -> PathBuf {
    let dir = dir.join(name);
    fs::create_dir(&dir).unwrap();
    for program in PROGRAMS {
        fs::copy(binaries::find(program).unwrap(), dir.join(program)).unwrap();
    }
    let mut agent = OpenOptions::new().append(true).open(dir.join("evermesh-agent")).unwrap();
    agent.write_all(b"\0").unwrap();
    drop(agent);
    spoil(&dir);
    dir
}

/// An agent that says its version, and else does that.
fn script(dir: &Path, body: &str) {
    let agent = dir.join("evermesh-agent");
    fs::write(&agent, format!("#!/bin/sh\n[ \"$1\" = --version ] && echo bad && exit\n{body}\n")).unwrap();
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Without a command, the supervisor is stopped and started again.
fn tried(kind: &str, mesh: &mut Mesh<'_>, command: &[&str]) -> Result<Event> {
    let start_ns = now_ns();
    match command {
        [] => {
            mesh.interrupt()?;
            mesh.restart()?;
        }
        command => drop(mesh.command(&command.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
    Ok(Event { kind: kind.into(), start_ns, end_ns: now_ns() })
}

fn refused(kind: &str, mesh: &Mesh<'_>, release: &Path) -> Result<Event> {
    let start_ns = now_ns();
    match mesh.command(&["upgrade".as_ref(), "--to".as_ref(), release.as_os_str()]) {
        Err(Error::Command { stderr, .. }) => {
            assert!(stderr.contains("was tried and is not committed"), "{stderr}")
        }
        other => panic!("{other:?}"),
    }
    Ok(Event { kind: kind.into(), start_ns, end_ns: now_ns() })
}

fn releases(mesh: &Mesh<'_>) -> Result<serde_json::Value> {
    let text = mesh.command(&["upgrade".as_ref(), "status".as_ref(), "--json".as_ref()])?;
    serde_json::from_str(&text).map_err(|source| Error::Json { what: "upgrade status", source })
}
