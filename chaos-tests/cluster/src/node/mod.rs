//! A node: namespaces of its own, containerd and a kubelet.

mod boot;
mod settings;

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_chaos_tests::{netns::Netns, sandbox::Cgroup};
use settings::CONTAINERD_SOCKET;

use crate::{
    Access, Component, Result, cgroups::Cgroups, health, identity::Authority, layout::Layout, place::Place,
    programs,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Where a kubelet says that it is well.
const KUBELET_HEALTH: u16 = 10248;

/// One node of a cluster, by its number from 1.
#[derive(Debug)]
pub struct Node {
    number: usize,
    layout: Layout,
    cgroups: Cgroups,
    access: Access,
    netns: Netns,
    containerd: Component,
    kubelet: Component,
}

impl Node {
    /// Makes the node and starts its containerd.
    pub(crate) fn start(
        access: &Access,
        layout: &Layout,
        (number, nodes): (usize, usize),
        control_plane: &Netns,
        authority: &Authority,
    ) -> Result<Self> {
        let cgroups = Cgroups::of(layout.name())?;
        cgroups.create_node(number)?;
        let netns = boot::boot(layout, (number, nodes), control_plane, authority)?;
        let (log_dir, what) = (layout.log_dir(), |program| format!("node{number}-{program}"));
        let containerd = programs::installed("containerd", "containerd")?;
        let kubelet = programs::kubernetes("kubelet")?;
        let mut node = Self {
            number,
            netns,
            containerd: Component::new(&what("containerd"), containerd, &log_dir)
                .arguments(settings::containerd_arguments()),
            kubelet: Component::new(&what("kubelet"), kubelet, &log_dir)
                .arguments(settings::kubelet_arguments(number)),
            layout: layout.clone(),
            cgroups,
            access: access.clone(),
        };
        node.start_containerd()?;
        Ok(node)
    }

    /// Imports the image that every pod needs, and starts the kubelet.
    pub(crate) fn finish(&mut self, pause: &Path) -> Result<()> {
        self.await_containerd()?;
        self.access.import(self.number, pause)?;
        self.start_kubelet()?;
        self.await_kubelet()
    }

    /// As Kubernetes knows it.
    pub fn name(&self) -> String {
        format!("node{}", self.number)
    }

    /// Its network namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Runs a program on the node to its end, and gives what it printed.
    pub fn exec(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        self.access.exec(self.number, program, arguments)
    }

    /// Where a directory of the node stands for this process, if it is one that every node has of its own.
    pub fn path(&self, on_node: &Path) -> PathBuf {
        let dir = self.layout.node(self.number);
        let own =
            boot::OWN.iter().find_map(|(name, at)| Some(dir.join(name).join(on_node.strip_prefix(at).ok()?)));
        own.unwrap_or_else(|| on_node.to_path_buf())
    }

    /// The cgroup above all pods of the node, in the hierarchy of version 2.
    pub fn pods_cgroup(&self) -> Cgroup {
        self.cgroups.node(self.number).child("kubepods")
    }

    /// containerd, to be killed. Pods do not notice.
    pub fn containerd(&mut self) -> &mut Component {
        &mut self.containerd
    }

    /// The kubelet, to be killed. Pods do not notice.
    pub fn kubelet(&mut self) -> &mut Component {
        &mut self.kubelet
    }

    /// Starts containerd.
    pub fn start_containerd(&mut self) -> Result<()> {
        let place = self.place("containerd")?;
        self.containerd.start(place)
    }

    /// Starts the kubelet.
    pub fn start_kubelet(&mut self) -> Result<()> {
        let place = self.place("kubelet")?;
        self.kubelet.start(place)
    }

    /// Waits until containerd takes requests.
    pub fn await_containerd(&mut self) -> Result<()> {
        let socket = self.path(Path::new(CONTAINERD_SOCKET));
        self.containerd.await_ready(PATIENCE, || UnixStream::connect(&socket).ok().map(drop))
    }

    /// Waits until the kubelet says that it is well.
    pub fn await_kubelet(&mut self) -> Result<()> {
        let (netns, address) = (&self.netns, SocketAddr::from((Ipv4Addr::LOCALHOST, KUBELET_HEALTH)));
        self.kubelet.await_ready(PATIENCE, || health::is_well(netns, address, "/healthz").then_some(()))
    }

    pub(crate) fn components(&mut self) -> [&mut Component; 2] {
        [&mut self.containerd, &mut self.kubelet]
    }

    fn place(&self, component: &str) -> Result<Place> {
        Place::in_cgroup(&self.cgroups.node(self.number).child(component))?
            .in_netns(&self.layout.node_netns(self.number))?
            .in_mount_namespace(&self.layout.node_mount_namespace(self.number))
    }
}
