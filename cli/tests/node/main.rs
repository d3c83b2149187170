//! The three programs on a real node: a life in brief, and everything that can be wrong around it. Needs root, a kernel
//! that can load the programs, and `evermesh-supervisor` and `evermesh-agent` beside `evermesh`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod another_layout;
mod another_run;
mod config_diff;
mod doctor;
mod durable;
mod life;
mod lone_agent;
mod no_bpffs;
mod no_cgroup2;
mod no_room;
mod not_root;
mod other_cgroup;
mod outside;
mod pod;
mod read_only_state_dir;
mod reload;
mod removed_cgroup;
mod running;
mod sandbox;
mod sentinels;
mod stale_lock;
mod unreached_supervisor;
mod upgrade;
mod upkeep;
mod wrong_file;
