//! The stage of the other tests, whose mesh comes from a control plane.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use evermesh_chaos_tests::{
    Result,
    istiod::{self, Istiod, Release, service_name},
    mesh::{ControlPlaneSeen, Mesh},
    oracle::{Event, Report},
    pod::Pod,
    sandbox::Sandbox,
    stage::{
        Stage, Traffic,
        config::{ANSWER, HTTP, NOBODY, STREAM, WEB},
    },
    wait,
};
use evermesh_proto::workload::{Service, Workload};

pub const RELEASES: [Release; 2] = [Release::V1_30, Release::V1_31];
/// Longer than any back-off and start together.
pub const PATIENCE: Duration = Duration::from_secs(20);
const TRAFFIC_AT_MOST: Duration = Duration::from_mins(15);

/// So long that no agent is replaced because the machine is slow.
const FLAGS: [&str; 4] = ["--watchdog-ms", "120000", "--node", "node-1"];

/// What a test plays with.
pub struct Rig<'a> {
    pub sandbox: &'a Sandbox,
    pub stage: &'a Stage,
    pub istiod: Istiod,
    pub mesh: Mesh<'a>,
}

/// Runs `act` on a node that follows an Istiod that serves the stage's services and pods.
pub fn with_rig<T>(config: istiod::Config, flags: &[&str], act: impl FnOnce(&mut Rig<'_>) -> T) -> T {
    let istiod = Istiod::start(config).unwrap();
    let address = format!("http://{}", istiod.address());
    with_istiod(istiod, &address, flags, act)
}

/// The same with an Istiod at an address of its own kind.
pub fn with_istiod<T>(
    istiod: Istiod,
    address: &str,
    flags: &[&str],
    act: impl FnOnce(&mut Rig<'_>) -> T,
) -> T {
    with_sandbox(Sandbox::new().unwrap(), istiod, address, flags, act)
}

/// The same in a sandbox of its own kind.
pub fn with_sandbox<T>(
    sandbox: Sandbox,
    istiod: Istiod,
    address: &str,
    flags: &[&str],
    act: impl FnOnce(&mut Rig<'_>) -> T,
) -> T {
    let stage = Stage::new(&sandbox).unwrap();
    istiod.put_all(services());
    istiod.put_all(stage.web.iter().map(workload));
    let mesh = Mesh::follow(&sandbox, address, &[&FLAGS, flags].concat()).unwrap();
    let mut rig = Rig { sandbox: &sandbox, stage: &stage, istiod, mesh };
    rig.stage.enrolled().try_for_each(|pod| rig.mesh.pod_add(pod)).unwrap();
    rig.await_members(&[0, 1, 2]);
    let done = act(&mut rig);
    rig.mesh.interrupt().unwrap();
    rig.mesh.uninstall().unwrap();
    drop(rig);
    drop(stage);
    sandbox.close().unwrap();
    done
}

impl Rig<'_> {
    /// Does `act` under traffic, and gives the oracle's report about the events that it tells.
    pub fn under_traffic(&mut self, act: impl FnOnce(&mut Self) -> Result<Vec<Event>>) -> Report {
        let traffic = Traffic::start(self.stage, TRAFFIC_AT_MOST).unwrap();
        let events = act(self).unwrap();
        traffic.judge(self.stage, events).unwrap()
    }

    /// Waits until these pods stand behind the service in the kernel's tables, and no others.
    pub fn await_members(&self, pods: &[usize]) {
        let wanted: BTreeSet<IpAddr> = pods.iter().flat_map(|&pod| self.stage.web[pod].addresses()).collect();
        wait::until("the members of `web`", PATIENCE, || (self.members() == wanted).then_some(()))
            .unwrap_or_else(|error| {
                let told = ["status", "dump"].map(|word| {
                    let rest: &[&std::ffi::OsStr] =
                        if word == "dump" { &["endpoints".as_ref()] } else { &[] };
                    self.mesh.command(&[&[word.as_ref()], rest].concat()).unwrap()
                });
                panic!("{error}: {}\n{}", told.join("\n"), self.sandbox.logs())
            });
    }

    /// A pod leaves, and when traffic follows it comes again, likewise.
    pub fn leaves_and_comes(&self, pod: usize) {
        let left = &self.stage.web[pod];
        self.istiod.remove(&uid(left));
        let others: Vec<_> = (0..3).filter(|other| *other != pod).collect();
        self.await_members(&others);
        self.istiod.put(workload(left));
        self.await_members(&[0, 1, 2]);
    }

    pub fn members(&self) -> BTreeSet<IpAddr> {
        let endpoints = self.mesh.endpoints().unwrap();
        endpoints
            .into_iter()
            .filter(|endpoint| endpoint.service_port == HTTP.port)
            .map(|it| it.address)
            .collect()
    }

    /// Waits until the node sees the control plane so.
    pub fn await_link(&self, what: &str, wanted: impl Fn(&ControlPlaneSeen) -> bool) -> ControlPlaneSeen {
        let link = || self.mesh.control_plane().unwrap();
        wait::until(what, PATIENCE, || link().filter(&wanted))
            .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", link(), self.sandbox.logs()))
    }

    pub fn writes(&self) -> u64 {
        self.mesh.writes().unwrap().unwrap()
    }
}

fn services() -> Vec<Service> {
    let ports = [HTTP, ANSWER, STREAM].map(|it| (it.port.into(), it.target.into()));
    let addresses = |vips: [&str; 2]| vips.map(|vip| vip.parse::<IpAddr>().unwrap());
    vec![
        istiod::service("demo", "web", addresses(WEB), ports),
        istiod::service("demo", "nobody", addresses(NOBODY), [(ANSWER.port.into(), ANSWER.target.into())]),
    ]
}

/// A pod behind `web`.
pub fn workload(pod: &Pod) -> Workload {
    let ports = [HTTP, ANSWER, STREAM].map(|it| (it.port.into(), it.target.into()));
    let web = service_name("demo", "web");
    let mut workload = istiod::workload(&uid(pod), pod.ipv4(), [(web.as_str(), ports)]);
    workload.addresses.push(pod.ipv6().octets().to_vec().into());
    workload
}

pub fn uid(pod: &Pod) -> String {
    format!("Kubernetes//Pod/demo/{}", pod.name())
}
