//! Real Kubernetes clusters on one Linux machine, without Docker and without virtual machines: API server, scheduler,
//! controllers, kubelets and containerd as they run elsewhere, each node in namespaces of its own.
//!
//! A node is a network namespace and a mount namespace, with its own `/run`, `/var/lib`, `/var/log` and bpffs, and with
//! cgroups below the cluster's. The control plane has a network namespace. Clusters do not know of each other.
//!
//! All that a cluster makes bears its name: the directory `/run/evermesh-cluster/NAME`, whose mounts keep the namespaces,
//! and cgroups that hold every process. What a killed owner left behind is found there and removed by whoever comes next.
//! Needs root, cgroup v2, and what `scripts/bootstrap cluster` installs.

mod access;
mod address;
mod cgroups;
mod cluster;
mod component;
mod control_plane;
mod error;
mod footprint;
mod health;
mod held;
mod identity;
pub mod image;
mod istiod;
mod layout;
mod logs;
mod mount_namespace;
mod name;
mod node;
mod place;
mod programs;
mod removal;

pub use access::Access;
pub use cluster::Cluster;
pub use component::Component;
pub use error::{Error, Result};
pub use footprint::Footprint;
pub use istiod::Istiod;
pub use name::ClusterName;
pub use node::Node;
pub use programs::build;
pub use removal::down;
