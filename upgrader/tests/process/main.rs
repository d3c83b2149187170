//! Real supervisors over an agent that does what a script says: see `scripted_agent`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent_life;
mod ends;
mod launches;
mod ledgers;
mod refusals;
mod releases;
mod rig;
mod scripted_agent;
mod steps_down;
mod takeover;
mod trials;
