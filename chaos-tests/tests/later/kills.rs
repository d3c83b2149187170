//! Going back from a later release, where somebody is killed on the way.

use std::path::Path;

use evermesh_chaos_tests::{
    Result, binaries,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
    wait,
};
use evermesh_pins::layout::Known;

use crate::{
    FLAGS, LATER, PATIENCE, known, releases,
    sockets::Sockets,
    takeover::{self, Party},
    trial::{self, Victim},
};

/// Who is killed, and on which way back.
#[derive(Clone, Copy, Debug)]
enum Kill {
    Trial(Victim),
    Takeover(Party),
}

const ALL: [Kill; 9] = [
    Kill::Trial(Victim::OneShot),
    Kill::Trial(Victim::Supervisor),
    Kill::Trial(Victim::Starting),
    Kill::Trial(Victim::OnTrial),
    Kill::Trial(Victim::Ready),
    Kill::Takeover(Party::OneShot),
    Kill::Takeover(Party::Old),
    Kill::Takeover(Party::New),
    Kill::Takeover(Party::Seated),
];
/// Of each process one, where not all are asked for (`make crash-points`).
const SOME: [Kill; 4] = [ALL[1], ALL[3], ALL[5], ALL[8]];

/// The later release comes by itself, as a new image does. It runs again, over its own maps, whoever was killed, and an earlier
/// supervisor takes over at last, as a rolling downgrade does it.
#[test]
fn whoever_is_killed_on_the_way_back_from_a_later_release_nothing_is_noticed() {
    let later = binaries::release_after(LATER).unwrap();
    let own = binaries::find("evermesh").unwrap();
    let own = own.parent().unwrap();
    let all = std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all");
    let kills = if all { &ALL[..] } else { &SOME[..] };
    let report = under_traffic(&FLAGS, |stage, mesh| {
        let sockets = Sockets::open(stage)?;
        let mut events = vec![Event::of("upgraded", || sockets.checked_while(|| launch(mesh, &later)))?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        for kill in kills {
            events.push(killed(mesh, &sockets, own, *kill)?);
            assert_eq!(releases(mesh)?["running"], committed, "after {kill:?}");
            assert_eq!(known(mesh), None, "the later release carries its maps over again");
        }
        events.push(Event::of("taken over", || sockets.checked_while(|| takeover::completed(mesh, own)))?);
        assert_eq!(known(mesh), Some(Known::Own));
        assert_eq!(releases(mesh)?["previous"]["release"], committed);
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, kills.len() + 2), "{report}");
}

/// The release comes by itself, and is committed.
fn launch(mesh: &mut Mesh<'_>, release: &Path) -> Result<()> {
    mesh.interrupt()?;
    mesh.set_release(release);
    mesh.restart()?;
    let committed = || releases(mesh).ok().filter(|it| it["candidate"].is_null());
    let seen = wait::until("the end of the trial", PATIENCE, committed)?;
    assert_eq!(seen["running"], seen["committed"]["release"]);
    assert_eq!(known(mesh), None, "the maps are the later release's");
    Ok(())
}

fn killed(mesh: &mut Mesh<'_>, sockets: &Sockets, own: &Path, kill: Kill) -> Result<Event> {
    Event::of("killed", || {
        sockets.checked_while(|| {
            match kill {
                Kill::Trial(victim) => trial::killed(mesh, victim),
                Kill::Takeover(party) => takeover::killed(mesh, own, party),
            }?;
            mesh.await_agent(None).map(drop)
        })
    })
}
