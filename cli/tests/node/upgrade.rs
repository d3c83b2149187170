use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use evermesh_handover::message::Phase;
use evermesh_upgrader::release::{Source, Stamps, Store};
use nix::mount::{MsFlags, mount};
use serde_json::Value;

use crate::sandbox::{Sandbox, until};

const PROGRAMS: [&str; 3] = ["evermesh", "evermesh-agent", "evermesh-supervisor"];

/// Nobody is taken for hung because the machine is busy.
const PATIENT: [&str; 2] = ["--watchdog-ms", "15000"];

/// A release of scripts: they say their version, its supervisor that it would do, and else they end with an error.
fn release(sandbox: &Sandbox, name: &str) -> PathBuf {
    let dir = sandbox.path(name);
    fs::create_dir(&dir).unwrap();
    PROGRAMS.iter().for_each(|program| script(&dir.join(program), name));
    dir
}

fn script(path: &Path, name: &str) {
    let said = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo {name} && exit\n[ \"$1\" = --check ] && exit\nexit 4\n"
    );
    fs::write(path, said).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A release whose agent says that it makes the words of `control` larger.
fn release_of_other_layout(sandbox: &Sandbox) -> PathBuf {
    let agent = Path::new(env!("CARGO_BIN_EXE_evermesh")).with_file_name("evermesh-agent");
    let said = Command::new(agent).arg("layouts").output().unwrap().stdout;
    let mut said: Value = serde_json::from_slice(&said).unwrap();
    said["current"]["control"]["value"]["size"] = 16.into();
    let dir = release(sandbox, "foreign");
    let program = dir.join("evermesh-agent");
    fs::write(dir.join("layouts.json"), said.to_string()).unwrap();
    fs::write(&program, format!("#!/bin/sh\n[ \"$1\" = layouts ] && cat {}/layouts.json\n", dir.display()))
        .unwrap();
    dir
}

/// The programs under test with another digest.
fn other(sandbox: &Sandbox) -> PathBuf {
    let (own, dir) = (Path::new(env!("CARGO_BIN_EXE_evermesh")), sandbox.path("other"));
    fs::create_dir(&dir).unwrap();
    for program in PROGRAMS {
        fs::copy(own.with_file_name(program), dir.join(program)).unwrap();
    }
    let mut content = fs::read(dir.join("evermesh")).unwrap();
    content.push(0);
    fs::write(dir.join("evermesh"), content).unwrap();
    dir
}

fn releases(sandbox: &Sandbox) -> Value {
    sandbox.json(&["upgrade", "status"])
}

#[test]
fn a_node_is_upgraded_starts_with_what_was_brought_and_goes_back() {
    let sandbox = Sandbox::new();
    let (bad, other) = (release(&sandbox, "bad"), other(&sandbox));
    let running = sandbox.start_with(&PATIENT);
    let first = releases(&sandbox)["committed"]["release"].clone();

    let held = sandbox.call(&["upgrade", "--to", bad.to_str().unwrap(), "--json"]);
    let complaint: Value = serde_json::from_slice(&held.stderr).unwrap();
    let reason = complaint["error"].as_str().unwrap();
    assert!(reason.contains("the agent ended before it was ready (exit status: 4)"), "{reason}");
    assert_eq!((held.status.code(), &complaint["exit_code"]), (Some(1), &Value::from(1)));
    until(|| (releases(&sandbox)["running"] == first).then_some(())).unwrap();

    let plan = sandbox.json(&["upgrade", "plan", "--to", other.to_str().unwrap()]);
    let differs: Vec<_> =
        plan["programs"].as_array().unwrap().iter().map(|it| it["differs"].clone()).collect();
    assert_eq!(
        (differs, &plan["problems"]),
        (vec![true.into(), false.into(), false.into()], &Value::Array(vec![]))
    );
    let carried = |it: &Value| it["known"]["carried"].as_str().map(str::to_owned);
    let mut carried: Vec<_> = plan["layouts"]["tables"].as_array().unwrap().iter().map(carried).collect();
    carried.dedup();
    let expected = ["rebuilt", "counted_anew", "shared"].map(|word| Some(word.to_owned()));
    assert_eq!((&plan["layouts"]["said"], carried), (&true.into(), expected.into()));
    let foreign = release_of_other_layout(&sandbox);
    let refused = sandbox.call(&["upgrade", "--to", foreign.to_str().unwrap()]);
    assert!(sandbox.told(&refused).contains("control cannot be carried over"), "{}", sandbox.told(&refused));

    let done = sandbox.json(&["upgrade", "--to", other.to_str().unwrap()]);
    assert_eq!((&done["from"], &done["changed"]), (&first, &true.into()), "{done:#}");
    let again = sandbox.json(&["upgrade", "--to", other.join("evermesh-agent").to_str().unwrap()]);
    assert_eq!((&again["release"], &again["changed"]), (&done["release"], &false.into()), "{again:#}");

    // What is started is the command of the first release, and what runs is the supervisor of the other one.
    running.stop();
    let running = sandbox.start_with(&PATIENT);
    let program = fs::read_link(format!("/proc/{}/exe", running.pid())).unwrap();
    assert!(program.starts_with(sandbox.path("state/releases")), "{program:?}");
    assert_eq!(
        (&releases(&sandbox)["running"], releases(&sandbox)["candidate"].is_null()),
        (&done["release"], true)
    );
    let back = sandbox.json(&["upgrade", "rollback"]);
    assert_eq!(back["release"], first, "{back:#}");
    let history = sandbox.json(&["upgrade", "history"]);
    let outcomes: Vec<_> = history["history"].as_array().unwrap().iter().map(|it| &it["outcome"]).collect();
    assert_eq!(outcomes, ["held", "committed", "committed"]);
    assert_eq!(
        fs::read_dir(sandbox.path("state/releases"))
            .unwrap()
            .filter(|it| it.as_ref().unwrap().path().is_dir())
            .count(),
        2
    );
    assert_eq!(sandbox.json(&["status"])["health"], "healthy");
}

#[test]
fn what_cannot_be_tried_is_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let bad = release(&sandbox, "bad");
    let upgrade = |to: &str| sandbox.told(&sandbox.call(&["upgrade", "--to", to]));
    insta::assert_snapshot!("nobody_runs", upgrade(bad.to_str().unwrap()));
    insta::assert_snapshot!("nothing_known", sandbox.told(&sandbox.call(&["upgrade", "status"])));
    let _running = sandbox.start();
    insta::assert_snapshot!("no_release", upgrade("mesh.yaml"));
    let own = releases(&sandbox)["committed"]["release"].as_str().unwrap()[..16].to_owned();
    let nothing_before = sandbox.told(&sandbox.call(&["upgrade", "rollback"])).replace(&own, "[own]");
    insta::assert_snapshot!("nothing_before", nothing_before);
    insta::assert_snapshot!("both", sandbox.told(&sandbox.call(&["upgrade", "--to", "x", "status"])));
    fs::write(bad.join("evermesh-agent"), "#!/no/loader\n").unwrap();
    let told = upgrade("bad");
    assert!(told.contains("evermesh-agent does not run on this node"), "{told}");
    assert!(told.contains("cannot be started: No such file or directory"), "{told}");
    fs::remove_file(bad.join("evermesh")).unwrap();
    insta::assert_snapshot!("incomplete", upgrade("bad"));
    assert_eq!(sandbox.json(&["upgrade", "history"])["history"], Value::Array(vec![]));
}

/// Nobody tries it, since it is what runs; the next agent is its own again.
#[test]
fn a_committed_release_that_is_damaged_on_disk_is_staged_again() {
    let sandbox = Sandbox::new();
    let _running = sandbox.start();
    let own = releases(&sandbox)["committed"]["release"].clone();
    let staged = sandbox.path("state/releases").join(&own.as_str().unwrap()[..16]).join("evermesh");
    let whole = fs::read(&staged).unwrap();
    fs::write(&staged, "damaged").unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_evermesh")).parent().unwrap();
    for staged_again in [true, false] {
        let done = sandbox.json(&["upgrade", "--to", programs.to_str().unwrap()]);
        let expected = (&own, &Value::from(false), &Value::from(staged_again));
        assert_eq!((&done["release"], &done["changed"], &done["staged_again"]), expected, "{done:#}");
        assert!(fs::read(&staged).unwrap() == whole);
    }
}

/// Within the store what nobody names is swept, and what is damaged makes place.
#[test]
fn a_release_is_tried_from_its_place_in_the_store() {
    let sandbox = Sandbox::new();
    let bad = release(&sandbox, "bad");
    let _running = sandbox.start_with(&PATIENT);
    let mut stamps = Stamps::default();
    let place = Store::of(&sandbox.path("state")).place(&Source::named(&bad, &mut stamps).unwrap().digest);
    fs::rename(&bad, &place).unwrap();
    let held = sandbox.told(&sandbox.call(&["upgrade", "--to", place.to_str().unwrap()]));
    assert!(held.contains("the agent ended before it was ready (exit status: 4)"), "{held}");
}

#[test]
fn on_a_full_disk_the_node_runs_and_nothing_is_staged() {
    let sandbox = Sandbox::new();
    let state = sandbox.path("state");
    mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), Some("size=8m")).unwrap();
    let bad = release(&sandbox, "bad");
    let running = sandbox.start();
    let told = sandbox.told(&sandbox.call(&["upgrade", "--to", bad.to_str().unwrap()]));
    assert!(told.contains("there is no room for release"), "{told}");
    let notes = releases(&sandbox)["notes"].clone();
    assert!(notes[0].as_str().unwrap().contains("own release is not kept on disk"), "{notes}");
    assert_eq!(sandbox.state().unwrap().phase, Phase::Running);
    running.stop();
}

/// A supervisor that answers every line with this one.
fn supervisor_that_says(sandbox: &Sandbox, line: &'static str) {
    let listener = UnixListener::bind(sandbox.path("run/supervisor.sock")).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            writeln!(stream, "{line}").unwrap();
        }
    });
}

#[test]
fn a_supervisor_of_another_time_is_told_apart() {
    let bad = |sandbox: &Sandbox| {
        sandbox.told(&sandbox.call(&["upgrade", "--to", release(sandbox, "bad").to_str().unwrap()]))
    };
    let sandbox = Sandbox::new();
    supervisor_that_says(
        &sandbox,
        r#"{"version":0,"message":{"kind":"state","release":"0.0.9","pid":7,"phase":"running","restarts":{},"since_unix_ms":5,"started_unix_ms":6}}"#,
    );
    insta::assert_snapshot!("older", bad(&sandbox));
    let sandbox = Sandbox::new();
    supervisor_that_says(
        &sandbox,
        r#"{"version":0,"message":{"kind":"refused","reason":"messages of version 0 are not understood here","versions":[7,8]}}"#,
    );
    insta::assert_snapshot!("newer", bad(&sandbox));
    assert!(!sandbox.path("state/releases").exists());
}
