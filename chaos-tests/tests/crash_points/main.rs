//! A change of generation is cut off at every moment, under traffic, and the next start finishes or undoes it.
//!
//! `EVERMESH_CRASH_POINTS=all` tries each moment of the recovery for each moment of the change too.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod kills;
mod plane;
