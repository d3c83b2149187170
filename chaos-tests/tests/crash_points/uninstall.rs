//! Whoever removes Evermesh may be killed at any call: removing goes on where it stopped, and a start makes up for it.

use std::process::Command;

use evermesh_chaos_tests::{binaries, sandbox::Objects};

use crate::{
    plane::{Kind, Plane},
    points::{KILL, errors, points},
    strace::{Call, calls, disturbed, goes_on_or_tells},
    survival::Survival,
};

/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 8;

#[test]
fn a_removal_that_is_killed_at_any_call_goes_on_or_is_made_up_for() {
    let plane = Plane::new(Kind::Table);
    let calls = calls(&plane, &plane.uninstall());
    assert_eq!(plane.pinned(), Objects::default());
    let chosen = points(&calls, &[KILL.to_owned()], SAMPLE, 13);
    let mut survival = Survival::of(chosen.iter().flat_map(|(call, _)| [call.name.as_str(); 2]));
    for (call, _) in chosen {
        for again in [false, true] {
            plane.start();
            disturbed(&plane, call, KILL, &plane.uninstall());
            if again {
                plane.start();
                plane.settled();
            }
            plane.remove(call);
            survival.survived(&call.name);
        }
    }
}

#[test]
fn a_removal_that_meets_an_error_at_any_call_goes_on_or_is_made_up_for() {
    let plane = Plane::new(Kind::Table);
    survive_errors(&plane, &plane.uninstall(), |_| plane.start());
}

#[test]
fn a_first_start_that_meets_an_error_at_any_call_is_made_up_for() {
    let plane = Plane::new(Kind::Table);
    assert!(plane.uninstall().output().unwrap().status.success());
    survive_errors(&plane, &plane.command(plane.first()), |call| plane.remove(call));
}

/// Each error of each of its calls, or some of them; before it, what stands is made so that it does all that it does.
fn survive_errors(plane: &Plane, command: &Command, prepare: impl Fn(&Call)) {
    let calls = calls(plane, command);
    let chosen = points(&calls, &errors(), SAMPLE, 23);
    let mut survival = Survival::of(chosen.iter().map(|(call, _)| call.name.as_str()));
    for (turn, (call, error)) in chosen.iter().enumerate() {
        prepare(call);
        goes_on_or_tells(&disturbed(plane, call, error, command), error, call);
        if turn % 2 == 0 {
            plane.start();
            plane.settled();
        }
        plane.remove(call);
        survival.survived(&call.name);
    }
}

impl Plane {
    fn remove(&self, call: &Call) {
        let done = self.uninstall().output().unwrap();
        assert!(done.status.success(), "{call:?}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(self.pinned(), Objects::default(), "{call:?}");
    }

    pub fn uninstall(&self) -> Command {
        let mut command = Command::new(binaries::find("evermesh").unwrap());
        command.arg("uninstall").args(self.directories()).arg("--run-dir").arg(self.directory().join("run"));
        command
    }

    pub fn start(&self) {
        self.run(self.first()).finished();
    }

    /// What stands below the pin directory.
    fn pinned(&self) -> Objects {
        Objects::pinned_below(self.pins().root()).unwrap()
    }
}
