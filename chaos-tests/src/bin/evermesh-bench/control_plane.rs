//! What it costs to follow a control plane: everything at once, one change, a connection that is lost, a start without it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use evermesh_chaos_tests::{
    binaries,
    istiod::{self, Istiod, Release},
    sandbox::Sandbox,
};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::SmolStr;
use evermesh_pins::{PinDir, host};
use evermesh_proto::{
    discovery::{DeltaDiscoveryResponse, Node, Packed, Resource},
    workload::{ADDRESS, Address, Service, Workload, address::Type},
};
use evermesh_xds_cache::{
    Conversion, Kind, Mesh, Said, cache,
    client::{self, Client, Link, Offer, Ports, Roots},
};
use hdrhistogram::Histogram;
use prost::Message as _;
use tokio::sync::{mpsc, watch};

use crate::{figures::table, whole_agent::from_disk};

const CHANGES: u32 = 2_000;
pub const PODS_EACH: u32 = 20;
const HEADER: [&str; 12] = [
    "release",
    "services",
    "workloads",
    "everything MB",
    "connect to tables ms",
    "of that decode ms",
    "and understand ms",
    "one change p50 us",
    "p99 us",
    "reconnect ms, bytes",
    "its writes",
    "start from disk ms",
];

/// A row for each release and number of workloads.
pub fn measure(workloads: &[u32]) -> Result<String> {
    let mut rows = Vec::new();
    for &count in workloads {
        for release in [Release::V1_30, Release::V1_31] {
            rows.push(row(release, count)?);
        }
    }
    Ok(table(HEADER, HEADER.len(), rows).to_string())
}

fn row(release: Release, workloads: u32) -> Result<Vec<String>> {
    let services = workloads / PODS_EACH;
    let sandbox = Sandbox::new()?;
    let sizes = sizes(workloads);
    let cgroup = host::cgroup(Some(sandbox.pods_cgroup().path()))?;
    let pins = PinDir::new(sandbox.bpffs().with_file_name("in-this-process"));
    let config = Config::new(pins, cgroup, sandbox.dir());
    let (mut plane, _) = DataPlane::start(Config { sizes, ..config }, None)?;
    let (bytes, decode, understand) = by_itself(services, workloads)?;
    let mut istiod = Istiod::start(istiod::Config { release, ..istiod::Config::default() })?;
    istiod.put_all((0..services).map(service));
    istiod.put_all((0..workloads).map(|n| workload(n, 0)));

    let began = Instant::now();
    let mut node = Following::start(&istiod, &sandbox.state_dir())?;
    node.apply(&mut plane)?;
    let everything = began.elapsed();

    let mut latency = Histogram::<u64>::new(3)?;
    for n in 0..CHANGES {
        let began = Instant::now();
        istiod.put(workload(n * 7 % workloads, 1 + n / workloads));
        node.apply(&mut plane)?;
        latency.record(u64::try_from(began.elapsed().as_micros())?)?;
    }
    plane.reclaim()?;

    let (sent, streams) = (istiod.seen().bytes_sent(), istiod.seen().streams.len());
    istiod.stop();
    let began = Instant::now();
    istiod.start_again()?;
    let seen = istiod.wait_for("both answers to the new stream", |seen| {
        seen.streams.len() > streams
            && seen.acks(ADDRESS) > 0
            && seen
                .streams
                .last()
                .is_some_and(|stream| stream.responses.len() == 2 && stream.requests.len() >= 4)
    })?;
    let reconnect = format!("{:.0}, {}", ms(began.elapsed()), seen.bytes_sent() - sent);
    let writes = node.written_since(&mut plane)?;
    node.end()?;

    drop(plane);
    let agent = binaries::find("evermesh-agent")?;
    let (from_disk, _) = from_disk(&agent, &sandbox, &sandbox.bpffs(), sizes, || Ok(Instant::now()))?;
    sandbox.close()?;
    Ok(vec![
        format!("{release:?}"),
        services.to_string(),
        workloads.to_string(),
        format!("{:.1}", bytes as f64 / 1e6),
        format!("{:.0}", ms(everything)),
        format!("{:.0}", ms(decode)),
        format!("{:.0}", ms(understand)),
        latency.value_at_quantile(0.5).to_string(),
        latency.value_at_quantile(0.99).to_string(),
        reconnect,
        writes.to_string(),
        format!("{:.0}", ms(from_disk)),
    ])
}

/// A client, and what it is connected to.
struct Following {
    offers: mpsc::Receiver<Offer>,
    client: thread::JoinHandle<()>,
    _seen: (watch::Receiver<Link>, watch::Receiver<Mesh>, watch::Receiver<Arc<[SmolStr]>>),
    _answers: mpsc::Sender<client::Answer>,
}

impl Following {
    fn start(istiod: &Istiod, state_dir: &std::path::Path) -> Result<Self> {
        let (offers, offered) = mpsc::channel(1);
        let (links, linked) = watch::channel(Link::default());
        let (hostnames, asked) = watch::channel(Arc::from([]));
        let (answer, answers) = mpsc::channel(1);
        let node =
            Node { id: "ztunnel~10.0.0.1~bench.bench~bench.svc.cluster.local".into(), ..Node::default() };
        let address = format!("http://{}", istiod.address()).parse()?;
        let config = client::Config { address, roots: Roots::System, token: None, node };
        let cache::Opened { mesh, whole, keeper, .. } = cache::open(state_dir, Conversion::default());
        let (meshes, shown) = watch::channel(Mesh::default());
        let ports = Ports { offers, links, meshes, hostnames, answers };
        let client = Client::new(config, mesh, whole, keeper, ports);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = thread::spawn(move || runtime.block_on(client.run()));
        Ok(Self { offers: offered, client, _seen: (linked, shown, asked), _answers: answer })
    }

    /// Applies the next mesh that is offered.
    fn apply(&mut self, plane: &mut DataPlane) -> Result<u64> {
        let offer = self.offers.blocking_recv().context("the client ended")?;
        let applied = plane.apply(&offer.snapshot)?;
        // The client lives as long as this does.
        let _told = offer.done.send(Ok(()));
        Ok(applied.writes)
    }

    fn written_since(&mut self, plane: &mut DataPlane) -> Result<u64> {
        let mut writes = 0;
        while let Ok(offer) = self.offers.try_recv() {
            writes += plane.apply(&offer.snapshot)?.writes;
            let _told = offer.done.send(Ok(()));
        }
        Ok(writes)
    }

    fn end(self) -> Result<()> {
        drop(self.offers);
        self.client.join().ok().context("the client panicked")
    }
}

/// Bytes of everything on the wire, and what decoding and understanding it take without anything else.
fn by_itself(services: u32, workloads: u32) -> Result<(usize, Duration, Duration)> {
    let of_services = (0..services).map(|n| Address { r#type: Some(Type::Service(service(n))) });
    let of_workloads = (0..workloads).map(|n| Address { r#type: Some(Type::Workload(workload(n, 0))) });
    let resources = of_services.chain(of_workloads).map(|address| Resource {
        name: istiod::address_name(&address),
        version: "0123456789abcdef".into(),
        resource: Some(Packed { type_url: ADDRESS.into(), value: address.encode_to_vec().into() }),
        ..Resource::default()
    });
    let response =
        DeltaDiscoveryResponse { resources: resources.collect(), ..DeltaDiscoveryResponse::default() };
    let wire: Bytes = response.encode_to_vec().into();
    drop(response);
    let began = Instant::now();
    let response = DeltaDiscoveryResponse::decode(wire.clone())?;
    let decode = began.elapsed();
    let began = Instant::now();
    let mut mesh = Mesh::new(Conversion::default());
    let said =
        Said { kind: Kind::Address, resources: response.resources, removed: Vec::new(), everything: true };
    let taken = mesh.take(said);
    let understand = began.elapsed();
    anyhow::ensure!(taken.rejected.is_empty(), "{:?}", taken.rejected);
    Ok((wire.len(), decode, understand))
}

pub fn sizes(workloads: u32) -> TableSizes {
    let services = workloads / PODS_EACH;
    TableSizes { services: 2 * services + 1, endpoints: 2 * workloads, ..TableSizes::DEFAULT }
}

pub fn service(n: u32) -> Service {
    istiod::service(&namespace(n), &format!("service-{n}"), [(0x0a60_0000 + n).to_be_bytes()], [(80, 8080)])
}

/// Another address for each round.
pub fn workload(n: u32, round: u32) -> Workload {
    let service = n / PODS_EACH;
    let name = istiod::service_name(&namespace(service), &format!("service-{service}"));
    let uid = format!("Kubernetes//Pod/{}/service-{service}-6d5f9c7b8f-{n:06}", namespace(service));
    let address = (0x0b00_0000 + round * 0x0020_0000 + n).to_be_bytes();
    istiod::workload(&uid, address, [(name.as_str(), [(80, 8080)])])
}

fn namespace(service: u32) -> String {
    format!("namespace-{}", service % 100)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
