//! Evermesh on real Kubernetes clusters, and the clusters themselves. `make e2e` builds what the tests need and runs them.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod cleanup;
mod components;
mod interruption;
mod istiod;
mod machine;
mod rollout;
mod scene;
mod traffic;
