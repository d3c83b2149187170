//! A change of generation is cut off at every moment, under traffic, and the next start finishes or undoes it.
//!
//! A part is tried at random unless `EVERMESH_CRASH_POINTS=all` says otherwise (`make crash-points`).
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod calls;
mod counts;
mod kills;
mod layouts;
mod left_behind;
mod losses;
mod plane;
mod points;
mod step_down;
mod strace;
mod survival;
mod take_back;
mod uninstall;

/// Every moment is asked for, not a part of them.
fn all() -> bool {
    std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all")
}
