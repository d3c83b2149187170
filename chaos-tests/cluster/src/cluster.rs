use std::{fs, path::Path, thread, time::Duration};

use evermesh_chaos_tests::wait;

use crate::{
    Access, ClusterName, Component, Error, Istiod, Node, Result, address, cgroups::Cgroups,
    control_plane::ControlPlane, held::Held, identity::Authority, image::Image, logs, programs, removal,
};

/// Longer than nodes take to be ready on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Prints `True` for each node that is ready.
const READY: &str = r#"--output=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}"#;

/// A cluster that this process has brought up. Dropped: gone, and checked to be gone.
#[derive(Debug)]
pub struct Cluster {
    access: Access,
    control_plane: Option<ControlPlane>,
    nodes: Vec<Node>,
    /// `None` once it is kept or closed.
    held: Option<Held>,
}

impl Cluster {
    /// Removes what dead owners left behind, then brings up a new cluster under a name of its own. All nodes are ready.
    pub fn up(nodes: usize) -> Result<Self> {
        Self::up_as(&ClusterName::of_this_process(), nodes)
    }

    /// The same under a name that is known.
    pub fn up_as(name: &ClusterName, nodes: usize) -> Result<Self> {
        let max = address::NODES_MAX;
        if !(1..=max).contains(&nodes) {
            return Err(Error::NodeCount { asked: nodes, max });
        }
        programs::build()?;
        removal::sweep()?;
        let held = Held::take(name)?;
        if held.is_kept()? {
            return Err(Error::Up { name: name.clone() });
        }
        let held = removal::clear(held)?;
        let access = Access::in_layout(held.layout())?;
        let mut cluster = Self { access, control_plane: None, nodes: Vec::new(), held: Some(held) };
        // From here on an error, like a panic, drops the cluster.
        cluster.make(nodes).inspect_err(|_| cluster.tell_logs())?;
        Ok(cluster)
    }

    fn make(&mut self, nodes: usize) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        held.make_private()?;
        let layout = held.layout().clone();
        for dir in [layout.log_dir(), layout.image_dir()] {
            fs::create_dir(&dir).map_err(Error::path("create", &dir))?;
        }
        let cgroups = Cgroups::of(layout.name())?;
        cgroups.create()?;
        let authority = Authority::new()?;
        let control_plane = self.control_plane.insert(ControlPlane::start(&layout, &cgroups, &authority)?);
        for number in 1..=nodes {
            let place = (number, nodes);
            self.nodes.push(Node::start(&self.access, &layout, place, control_plane.netns(), &authority)?);
        }
        let pause = Image::pause()?.write_in(&layout.image_dir())?;
        control_plane.finish(&self.access)?;
        self.finish_nodes(&pause)?;
        self.await_ready()
    }

    /// All at once: each waits for its own programs most of the time.
    fn finish_nodes(&mut self, pause: &Path) -> Result<()> {
        thread::scope(|scope| {
            let finish = |node: &mut Node| node.finish(pause);
            let threads: Vec<_> =
                self.nodes.iter_mut().map(|node| scope.spawn(move || finish(node))).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Waits until all nodes are ready for pods.
    pub fn await_ready(&mut self) -> Result<()> {
        let access = self.access.clone();
        let names: Vec<String> = self.nodes.iter().map(|node| format!("node/{}", node.name())).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Pods are refused in a namespace whose service account was not made yet.
        let question = [&["get", READY, "serviceaccount/default"], &names[..]].concat();
        let ready_nodes = |answer: String| answer.split_whitespace().filter(|&word| word == "True").count();
        wait::until("all nodes to be ready", PATIENCE, || {
            let alive = self.components().into_iter().try_for_each(Component::expect_alive);
            let ready = || access.kubectl(&question).is_ok_and(|answer| ready_nodes(answer) == names.len());
            alive.map_or_else(|error| Some(Err(error)), |()| ready().then_some(Ok(())))
        })?
    }

    /// Its name.
    pub fn name(&self) -> &ClusterName {
        self.access.name()
    }

    /// For commands inside.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Runs `kubectl` as administrator to its end, and gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.access.kubectl(arguments)
    }

    /// Brings an image to every node.
    pub fn load(&self, image: &Image) -> Result<()> {
        self.access.load(image)
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node, by its number from 1.
    pub fn node(&mut self, number: usize) -> Result<&mut Node> {
        let (name, nodes) = (self.name().clone(), self.nodes.len());
        let node = number.checked_sub(1).and_then(|index| self.nodes.get_mut(index));
        node.ok_or(Error::NoNode { name, number, nodes })
    }

    /// Kills the API server with SIGKILL.
    pub fn kill_api_server(&mut self) -> Result<()> {
        self.control_plane.as_mut().map_or(Ok(()), |control_plane| control_plane.api_server().kill())
    }

    /// Starts the API server again and waits for it.
    pub fn start_api_server(&mut self) -> Result<()> {
        let Some(control_plane) = &mut self.control_plane else { return Ok(()) };
        control_plane.start_api_server()?;
        control_plane.await_api_server(&self.access)
    }

    /// Starts `program`, a real Istiod, beside the API server. Nothing of Istio is part of this project.
    pub fn istiod(&self, program: &Path) -> Result<Istiod> {
        let control_plane = self.control_plane.as_ref();
        let control_plane = control_plane.ok_or_else(|| Error::Down { name: self.name().clone() })?;
        Istiod::start(&self.access, control_plane.netns(), program)
    }

    /// Lets the cluster outlive this process.
    pub fn keep(mut self) -> Result<()> {
        self.held.take().map_or(Ok(()), Held::keep)
    }

    /// Takes it down.
    pub fn close(mut self) -> Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        removal::end_processes(held.layout())?;
        // They are this process's children: nobody else can let them go.
        self.components().into_iter().for_each(Component::reap);
        removal::remove(held)
    }

    fn components(&mut self) -> Vec<&mut Component> {
        let of_nodes = self.nodes.iter_mut().flat_map(Node::components);
        of_nodes.chain(self.control_plane.iter_mut().flat_map(ControlPlane::components)).collect()
    }

    fn tell_logs(&self) {
        match logs::collect(&self.access) {
            Ok(dir) => eprintln!("logs of the cluster {}: {}", self.name(), dir.display()),
            Err(error) => eprintln!("logs of the cluster {}: {error}", self.name()),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.held.is_none() {
            return;
        }
        if thread::panicking() {
            self.tell_logs();
        }
        if let Err(error) = self.remove() {
            assert!(thread::panicking(), "cluster {}: {error}", self.name());
            eprintln!("cluster {}: {error}", self.name());
        }
    }
}
