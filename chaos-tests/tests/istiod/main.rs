//! The imitation of Istio's control plane, seen by a client that knows nothing but gRPC: it behaves as Istio does,
//! and each of its lies is told as it says.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod admission;
mod answers;
mod client;
mod connections;
mod contents;
mod kept;
mod pushes;
mod recorded;
mod restarts;
mod socket;
mod stalls;
mod subscriptions;
