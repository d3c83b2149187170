//! Evermesh after a control plane: real agents on a real kernel, and an imitation of Istiod.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod admission;
mod dark;
mod following;
mod full_disk;
mod full_tables;
mod hostile;
mod reconnects;
mod rig;
