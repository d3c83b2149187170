use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    ClusterName, Error, Result, cgroups::Cgroups, identity::KUBECONFIG, image::Image, layout::Layout, logs,
    place::Place, programs,
};

/// A cluster that is up, whoever brought it up: commands inside, and what they need.
#[derive(Clone, Debug)]
pub struct Access {
    layout: Layout,
    cgroups: Cgroups,
}

impl Access {
    /// To the cluster of that name, if it is there.
    pub fn to(name: &ClusterName) -> Result<Self> {
        let layout = Layout::of(name);
        match layout.admin().join(KUBECONFIG).exists() {
            true => Self::in_layout(&layout),
            false => Err(Error::Down { name: name.clone() }),
        }
    }

    pub(crate) fn in_layout(layout: &Layout) -> Result<Self> {
        Ok(Self { layout: layout.clone(), cgroups: Cgroups::of(layout.name())? })
    }

    /// The cluster's name.
    pub fn name(&self) -> &ClusterName {
        self.layout.name()
    }

    /// How many nodes it has; they are called `node1` and so on.
    pub fn nodes(&self) -> usize {
        self.layout.nodes()
    }

    /// Runs `kubectl` to its end, and gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.kubectl_command()?;
        command.args(arguments);
        run(command, "kubectl", arguments)
    }

    /// `kubectl` as administrator, not run yet.
    pub fn kubectl_command(&self) -> Result<Command> {
        self.near_api_server(programs::kubernetes("kubectl")?)
    }

    /// Helm as administrator, not run yet. The first call ever builds it.
    pub fn helm_command(&self) -> Result<Command> {
        self.near_api_server(programs::helm()?)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Beside the API server.
    pub(crate) fn in_control_plane(&self) -> Result<Place> {
        Place::in_cgroup(&self.cgroups.control_plane())?.in_netns(&self.layout.control_plane_netns())
    }

    /// The API server is reached from its own network namespace alone.
    fn near_api_server(&self, program: PathBuf) -> Result<Command> {
        let mut command = Command::new(program);
        let of_tools = self.layout.dir().join("tools");
        command.env("KUBECONFIG", self.layout.admin().join(KUBECONFIG));
        for variable in ["KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, of_tools.join(variable));
        }
        let place = Place::in_cgroup(&self.cgroups.commands())?;
        place.in_netns(&self.layout.control_plane_netns())?.take(&mut command);
        Ok(command)
    }

    /// Runs a program on a node to its end, and gives what it printed.
    pub fn exec(&self, node: usize, program: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(node, program)?;
        command.args(arguments);
        run(command, &format!("node{node}: {}", program.display()), arguments)
    }

    /// A program on a node, as its root would run it; not run yet.
    pub fn command(&self, node: usize, program: &Path) -> Result<Command> {
        let nodes = self.nodes();
        if !(1..=nodes).contains(&node) {
            return Err(Error::NoNode { name: self.name().clone(), number: node, nodes });
        }
        let mut command = Command::new(program);
        let place = Place::in_cgroup(&self.cgroups.commands())?;
        let place = place.in_netns(&self.layout.node_netns(node))?;
        place.in_mount_namespace(&self.layout.node_mount_namespace(node))?.take(&mut command);
        Ok(command)
    }

    /// Brings an image to every node, where pods find it under its name.
    pub fn load(&self, image: &Image) -> Result<()> {
        let archive = image.write_in(&self.layout.image_dir())?;
        (1..=self.nodes()).try_for_each(|node| self.import(node, &archive))
    }

    /// Copies the logs of every component and of every pod aside, and gives the directory.
    pub fn collect_logs(&self) -> Result<PathBuf> {
        logs::collect(self)
    }

    pub(crate) fn import(&self, node: usize, archive: &Path) -> Result<()> {
        let file = File::open(archive).map_err(Error::path("open", archive))?;
        let arguments = ["--namespace=k8s.io", "images", "import", "-"];
        let program = programs::installed("ctr", "containerd")?;
        let mut command = self.command(node, &program)?;
        command.args(arguments).stdin(file);
        run(command, &format!("node{node}: ctr"), &arguments).map(drop)
    }
}

fn run(mut command: Command, name: &str, arguments: &[&str]) -> Result<String> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(|source| Error::Spawn { program, source })?;
    Error::unless_done(format!("{name} {}", arguments.join(" ")), output)
}
