use evermesh_chaos_tests::{Error, binaries, oracle::Verdict, release, stage::under_traffic};

use crate::{FLAGS, LATER, PATIENCE, event, known, releases, roll_back, sockets::Sockets, upgrade};

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
        let mut events = vec![event("upgraded", || upgrade(mesh, &silent))?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        let refused = |error: Error, words: [&str; 2]| match error {
            Error::Command { stderr, .. } => {
                assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}")
            }
            other => panic!("{other}"),
        };
        events.push(event("refused by its agent", || {
            let error = sockets.checked_while(|| upgrade(mesh, &earlier)).unwrap_err();
            refused(error, ["is not committed", "origins: of another layout than this release knows: field"]);
            mesh.await_agent(None).map(drop)
        })?);
        events.push(event("refused by the command line", || {
            refused(
                roll_back(mesh).unwrap_err(),
                ["cannot take over", "origins cannot be carried over: field"],
            );
            Ok(())
        })?);
        events.push(event("takeover refused", || {
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
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 4), "{report}");
}
