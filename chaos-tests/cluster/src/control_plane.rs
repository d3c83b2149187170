use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

use evermesh_chaos_tests::netns::Netns;

use crate::{
    Access, Component, Error, Result, address,
    cgroups::Cgroups,
    identity::{self, AUTHORITY, Authority, CERTIFICATE, Identity, KEY, KUBECONFIG},
    layout::Layout,
    place::Place,
    programs,
};

/// Longer than an API server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// etcd, the API server, the controllers and the scheduler, in a network namespace of their own.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    layout: Layout,
    cgroups: Cgroups,
    netns: Netns,
    etcd: Component,
    api_server: Component,
    controllers: Component,
    scheduler: Component,
}

impl ControlPlane {
    /// Makes the namespace with the bridge that nodes hang on, and starts etcd and the API server.
    pub(crate) fn start(layout: &Layout, cgroups: &Cgroups, authority: &Authority) -> Result<Self> {
        let dir = layout.control_plane();
        fs::create_dir(&dir).map_err(Error::path("create", &dir))?;
        issue(layout, authority)?;
        let mut control_plane = Self {
            netns: network(layout)?,
            etcd: etcd(layout)?,
            api_server: api_server(layout)?,
            controllers: controllers(layout)?,
            scheduler: scheduler(layout)?,
            layout: layout.clone(),
            cgroups: cgroups.clone(),
        };
        let place = || control_plane.place();
        let (for_etcd, for_api_server) = (place()?, place()?);
        control_plane.etcd.start(for_etcd)?;
        control_plane.api_server.start(for_api_server)?;
        Ok(control_plane)
    }

    /// Waits for the API server, and starts those that need it.
    pub(crate) fn finish(&mut self, access: &Access) -> Result<()> {
        self.await_api_server(access)?;
        let (for_controllers, for_scheduler) = (self.place()?, self.place()?);
        self.controllers.start(for_controllers)?;
        self.scheduler.start(for_scheduler)
    }

    /// Where nodes are connected.
    pub(crate) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The API server, to be killed.
    pub fn api_server(&mut self) -> &mut Component {
        &mut self.api_server
    }

    /// Starts the API server after it was killed.
    pub fn start_api_server(&mut self) -> Result<()> {
        let place = self.place()?;
        self.api_server.start(place)
    }

    /// A connection comes cheaper than `kubectl`, so there is one first.
    pub(crate) fn await_api_server(&mut self, access: &Access) -> Result<()> {
        let (etcd, netns) = (&mut self.etcd, &self.netns);
        let address = SocketAddr::from((address::CONTROL_PLANE, address::API_PORT));
        self.api_server.await_ready(PATIENCE, || {
            let connected = netns.enter(|| Ok(TcpStream::connect(address).is_ok()));
            match etcd.expect_alive() {
                Ok(()) => connected.ok().filter(|&is| is).map(|_| Ok(())),
                Err(error) => Some(Err(error)),
            }
        })??;
        self.api_server.await_ready(PATIENCE, || access.kubectl(&["get", "--raw", "/readyz"]).ok().map(drop))
    }

    pub(crate) fn components(&mut self) -> [&mut Component; 4] {
        [&mut self.etcd, &mut self.api_server, &mut self.controllers, &mut self.scheduler]
    }

    fn place(&self) -> Result<Place> {
        Place::in_cgroup(&self.cgroups.control_plane())?.in_netns(&self.layout.control_plane_netns())
    }
}

fn network(layout: &Layout) -> Result<Netns> {
    let netns = Netns::create(layout.control_plane_netns())?;
    netns.ip(&format!(
        "link set lo up\n\
         link add br0 type bridge stp_state 0 mcast_snooping 0\n\
         addr add {}/{} dev br0\n\
         link set br0 up\n",
        address::CONTROL_PLANE,
        address::NODE_NET
    ))?;
    netns.set_sysctls(&[("ipv4/ip_forward", "1")])?;
    Ok(netns)
}

/// Who is who in the control plane, by the name of its directory.
fn issue(layout: &Layout, authority: &Authority) -> Result<()> {
    let dir = layout.control_plane();
    let users = [
        ("admin", "admin", Some("system:masters")),
        ("controllers", "system:kube-controller-manager", None),
        ("scheduler", "system:kube-scheduler", None),
    ];
    for (place, user, group) in users {
        authority.issue(&Identity { user, group, addresses: &[] }, &dir.join(place))?;
    }
    let addresses = [address::CONTROL_PLANE, address::API_SERVICE];
    let api_server = Identity { user: "kube-apiserver", group: None, addresses: &addresses };
    authority.issue(&api_server, &dir.join("api-server"))?;
    identity::write_token_keys(&dir.join("tokens.key"), &dir.join("tokens.pub"))
}

const ETCD: &str = "http://127.0.0.1:2379";

fn etcd(layout: &Layout) -> Result<Component> {
    let program = programs::installed("etcd", "etcd-server")?;
    Ok(Component::new("etcd", program, &layout.log_dir()).arguments([
        flag("data-dir", layout.control_plane().join("etcd")),
        // Nothing of a cluster outlives the machine.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={ETCD}"),
        format!("--advertise-client-urls={ETCD}"),
        "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
    ]))
}

fn api_server(layout: &Layout) -> Result<Component> {
    let (dir, own, admin) =
        (layout.control_plane(), layout.control_plane().join("api-server"), layout.admin());
    let program = programs::kubernetes("kube-apiserver")?;
    Ok(Component::new("api-server", program, &layout.log_dir()).arguments([
        format!("--etcd-servers={ETCD}"),
        "--bind-address=0.0.0.0".to_owned(),
        format!("--advertise-address={}", address::CONTROL_PLANE),
        format!("--secure-port={}", address::API_PORT),
        format!("--service-cluster-ip-range={}", address::SERVICES),
        "--allow-privileged=true".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        flag("cert-dir", dir.join("api-server")),
        flag("client-ca-file", own.join(AUTHORITY)),
        flag("tls-cert-file", own.join(CERTIFICATE)),
        flag("tls-private-key-file", own.join(KEY)),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        flag("service-account-key-file", dir.join("tokens.pub")),
        flag("service-account-signing-key-file", dir.join("tokens.key")),
        flag("kubelet-client-certificate", admin.join(CERTIFICATE)),
        flag("kubelet-client-key", admin.join(KEY)),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ]))
}

fn controllers(layout: &Layout) -> Result<Component> {
    let (dir, own) = (layout.control_plane(), layout.control_plane().join("controllers"));
    let program = programs::kubernetes("kube-controller-manager")?;
    Ok(Component::new("controllers", program, &layout.log_dir()).arguments([
        flag("kubeconfig", own.join(KUBECONFIG)),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        "--use-service-account-credentials".to_owned(),
        flag("service-account-private-key-file", dir.join("tokens.key")),
        flag("root-ca-file", own.join(AUTHORITY)),
        flag("flex-volume-plugin-dir", dir.join("volume-plugins")),
    ]))
}

fn scheduler(layout: &Layout) -> Result<Component> {
    let own = layout.control_plane().join("scheduler");
    let program = programs::kubernetes("kube-scheduler")?;
    Ok(Component::new("scheduler", program, &layout.log_dir()).arguments([
        flag("kubeconfig", own.join(KUBECONFIG)),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
    ]))
}

fn flag(name: &str, path: PathBuf) -> String {
    format!("--{name}={}", path.display())
}
