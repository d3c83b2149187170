//! Generations change and change back, many times: under traffic, and without leaving anything behind.
//!
//! `EVERMESH_EVENTS` says how many changes of each kind there are, `EVERMESH_MIGRATIONS` how many to other layouts and back, and
//! `EVERMESH_CYCLES` how many in a row leave nothing behind (`make chaos` asks for more than `make test`).
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod cycles;
mod events;
mod layouts;
mod node;
mod told;
