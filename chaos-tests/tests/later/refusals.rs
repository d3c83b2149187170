use std::{ffi::OsStr, path::Path};

use evermesh_chaos_tests::{
    Error, Result, binaries, mesh::Mesh, oracle::Event, release, stage::under_traffic,
};
use evermesh_pins::layout::Known;
use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use crate::{FLAGS, LATER, PATIENCE, falls::ready, known, releases, sockets::Sockets, trial::failed};

/// As if its supervisor did not have it step down: a release that says no layouts, nobody can ask to. What cannot follow it is
/// refused by its own agent, and the later one goes on.
#[test]
fn an_earlier_release_that_nobody_stepped_down_for_is_refused_and_the_later_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let agent = binaries::release_after(LATER).unwrap().join("evermesh-agent");
    let silent = format!("exec {} \"$@\"", agent.display());
    let silent = release::with_agent(dir.path(), "silent", &silent).unwrap();
    // It says nothing either, so the command line does not refuse it.
    let earlier = format!("exec {} \"$@\"", binaries::find("evermesh-agent").unwrap().display());
    let earlier = release::with_agent(dir.path(), "earlier", &earlier).unwrap();
    let same = release::same(dir.path(), "same").unwrap();
    let report = under_traffic(&FLAGS, |stage, mesh| {
        let sockets = Sockets::open(stage)?;
        let mut events = vec![Event::of("upgraded", || mesh.upgrade(&silent))?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        let refused = |error: Error, words: [&str; 2]| match error {
            Error::Command { stderr, .. } => {
                assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}")
            }
            other => panic!("{other}"),
        };
        events.push(Event::of("refused by its agent", || {
            let error = sockets.checked_while(|| mesh.upgrade(&earlier)).unwrap_err();
            refused(error, ["is not committed", "origins: of another layout than this release knows: field"]);
            mesh.await_agent(None).map(drop)
        })?);
        events.push(Event::of("refused by the command line", || {
            refused(
                mesh.roll_back().unwrap_err(),
                ["cannot take over", "origins cannot be carried over: field"],
            );
            Ok(())
        })?);
        events.push(Event::of("takeover refused", || {
            let agent = mesh.agent_pid()?;
            let mut newcomer = mesh.challenged_by(&same)?;
            assert_eq!(newcomer.await_exit(PATIENCE)?.code(), Some(1));
            let said = newcomer.output();
            let words = ["cannot take over", "origins cannot be carried over: field"];
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
            assert_eq!(mesh.agent_pid()?, agent, "nothing has moved");
            Ok(())
        })?);
        assert_eq!(releases(mesh)?["running"], committed);
        assert_eq!(known(mesh), None);
        sockets.check();
        events.push(Event::of(GIVEN_UP, || give_up(mesh))?);
        assert_eq!(
            (releases(mesh)?["previous"]["release"].clone(), known(mesh)),
            (committed, Some(Known::Own))
        );
        Sockets::open(stage)?.check();
        events.push(Event::of("upgraded again", || mesh.upgrade(&silent))?);
        events.push(Event::of(TAKEN_OVER, || take_over(mesh, &same))?);
        Sockets::open(stage)?.check();
        events.push(Event::of(FELL, || fall(mesh, &silent))?);
        Sockets::open(stage)?.check();
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    // What sockets asked for is lost, and nothing else, and nothing before that.
    let failed = report.events.iter().filter(|it| it.failures > 0).map(|it| it.event.kind.as_str());
    let lost = vec![GIVEN_UP, TAKEN_OVER, FELL];
    assert_eq!((failed.collect::<Vec<_>>(), report.events.len()), (lost, 8), "{report}");
    assert_eq!(report.failed(), report.failures_with("wrong peer"), "{report}");
}

const GIVEN_UP: &str = "gone back without what stood in the maps";
const TAKEN_OVER: &str = "taken over without what stood in the maps";
const FELL: &str = "fallen, and gone back without what stood in the maps";
const DECLARED: [&str; 2] = ["--accept-loss", "origins,udp_origins"];

/// The later release carries maps over, and falls before it is committed. It cannot step down for a release that says no layouts;
/// what was declared for its trial covers the way back.
fn fall(mesh: &Mesh<'_>, later: &Path) -> Result<()> {
    let [flag, maps] = DECLARED.map(OsStr::new);
    let command = ["upgrade".as_ref(), "--to".as_ref(), later.as_os_str(), flag, maps];
    failed(
        mesh,
        |mesh| mesh.command(&command).map(drop),
        |mesh| {
            kill(ready(mesh, mesh.supervisor_pid().unwrap())?, Signal::SIGKILL).unwrap();
            Ok(())
        },
    )?;
    mesh.await_agent(None)?;
    assert_eq!(known(mesh), Some(Known::Own));
    Ok(())
}

/// It is declared for this trial, and told.
fn give_up(mesh: &mut Mesh<'_>) -> Result<()> {
    loses(mesh, |mesh| {
        mesh.command(&["upgrade", "rollback", DECLARED[0], DECLARED[1]].map(OsStr::new)).map(drop)
    })
}

/// It is declared for this takeover, and told.
fn take_over(mesh: &mut Mesh<'_>, release: &Path) -> Result<()> {
    loses(mesh, |mesh| {
        mesh.set_flags(&[&FLAGS[..], &DECLARED[..]].concat());
        let new = mesh.challenged_by(release)?;
        mesh.succeeded_by(new, release)?;
        mesh.set_flags(&FLAGS);
        assert_eq!(known(mesh), Some(Known::Own));
        Ok(())
    })
}

/// What `act` loses is told, once.
fn loses<'a>(mesh: &mut Mesh<'a>, act: impl FnOnce(&mut Mesh<'a>) -> Result<()>) -> Result<()> {
    let status = |mesh: &Mesh<'_>| -> Result<Value> {
        let status = mesh.command(&["status", "--json"].map(OsStr::new))?;
        Ok(serde_json::from_str(&status).unwrap())
    };
    let lost = |status: &Value, table| status["counters"][format!("lost_{table}")].as_u64().unwrap_or(0);
    let before = status(mesh)?;
    act(mesh)?;
    let history = mesh.command(&["upgrade", "history"].map(OsStr::new))?;
    assert!(history.trim_end().ends_with(&format!("with {}", DECLARED.join(" "))), "{history}");
    let after = status(mesh)?;
    for table in ["origins", "udp_origins"] {
        let entries = lost(&after, table) - lost(&before, table);
        let note = Value::from(format!("{table}: {entries} entries are lost, as it was declared"));
        let notes = after["agent"]["notes"].as_array().unwrap();
        assert!(entries > 0 && notes.contains(&note), "{table}: {after:#}");
    }
    Ok(())
}
