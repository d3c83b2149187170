//! Which hooks run while something is done: the kernel counts the runs of each program.

use std::collections::BTreeSet;

use aya::{
    programs::ProgramInfo,
    sys::{Stats, enable_stats},
};
use evermesh_pins::{Hook, PinDir};

/// The hooks that run during `work`. The one that runs whenever a socket is closed is not told.
pub fn during<T>(pins: &PinDir, generation: u32, work: impl FnOnce() -> T) -> (T, BTreeSet<Hook>) {
    let _counting = enable_stats(Stats::RunTime).unwrap();
    let runs = |hook| ProgramInfo::from_pin(pins.program(generation, hook)).unwrap().run_count();
    let watched = Hook::ALL.into_iter().filter(|&hook| hook != Hook::SockRelease);
    let before: Vec<(Hook, u64)> = watched.map(|hook| (hook, runs(hook))).collect();
    let done = work();
    let ran = before.into_iter().filter(|&(hook, count)| runs(hook) > count);
    (done, ran.map(|(hook, _)| hook).collect())
}
