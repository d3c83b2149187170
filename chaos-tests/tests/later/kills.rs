use std::thread;

use evermesh_chaos_tests::{
    Result, binaries,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};
use evermesh_pins::layout::Known;
use nix::sys::signal::{Signal, kill};

use crate::{FLAGS, LATER, event, known, releases, roll_back, sockets::Sockets, upgrade};

/// Who is killed while the committed release steps down.
#[derive(Clone, Copy, PartialEq)]
enum Victim {
    /// The process that steps down.
    OneShot,
    Supervisor,
}

/// The later release runs again, over its own maps, and going back succeeds the next time.
#[test]
fn whoever_is_killed_while_a_release_steps_down_nothing_is_noticed() {
    let later = binaries::release_after(LATER).unwrap();
    let report = under_traffic(&FLAGS, |stage, mesh| {
        let sockets = Sockets::open(stage)?;
        let mut events = vec![event("upgraded", || upgrade(mesh, &later))?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        for victim in [Victim::OneShot, Victim::Supervisor] {
            events.push(killed(mesh, &sockets, victim)?);
            assert_eq!(releases(mesh)?["committed"]["release"], committed);
            mesh.await_agent(None)?;
            assert_eq!(known(mesh), None, "the later release carries its maps over again");
        }
        events.push(event("stepped down", || sockets.checked_while(|| roll_back(mesh)))?);
        assert_eq!(known(mesh), Some(Known::Own));
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 4), "{report}");
}

fn killed(mesh: &mut Mesh<'_>, sockets: &Sockets, victim: Victim) -> Result<Event> {
    event("killed", || {
        sockets.checked_while(|| {
            let asked = &*mesh;
            thread::scope(|scope| {
                let outcome = scope.spawn(|| roll_back(asked));
                let one_shot = asked.await_phase("stepping-down")?;
                let pid = if victim == Victim::OneShot { Some(one_shot) } else { asked.supervisor_pid() };
                kill(pid.unwrap(), Signal::SIGKILL).unwrap();
                assert!(outcome.join().unwrap().is_err());
                Ok(())
            })?;
            if victim == Victim::Supervisor {
                mesh.interrupt()?;
                mesh.restart()?;
            }
            Ok(())
        })
    })
}
