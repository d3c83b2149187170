//! The data plane without agent or supervisor: the loader on a real kernel, in a sandbox.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod addresses;
mod adoption;
#[path = "../../../bpf-loader/tests/reference/agreement.rs"]
mod agreement;
mod bench;
mod churn;
mod coming;
mod cuts;
mod distribution;
mod flows;
mod foreign;
mod freed;
mod full;
mod full_disk;
mod histories;
#[path = "../../../bpf-loader/tests/reference/kernel.rs"]
mod kernel;
mod layouts;
mod lease;
mod left_alone;
mod listeners;
mod maglev;
mod migration;
mod orphans;
mod picks;
mod pods;
mod pressure;
mod rate;
mod replaced;
mod sockets;
mod switch;
mod trial;
mod udp_origins;
