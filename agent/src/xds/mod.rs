//! A control plane as the source of the configuration: what is known of it at the start, and what it says from then on.

mod options;

use std::{io, path::Path, sync::Arc, thread};

use evermesh_model::LastApplied;
use evermesh_xds_cache::{
    Mesh, cache,
    client::{Address, Client, Link, Offer, Ports},
    names,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{clock, slice};
pub use options::{Unsupported, XdsOptions};

/// Answers of name servers that wait to be heard.
const ANSWERS: usize = 64;

/// How a source begins that is a control plane and not a path.
pub const SOURCE: &str = "control plane ";

/// A control plane, and what is known of what it says.
#[derive(Debug)]
pub struct ControlPlane {
    options: XdsOptions,
    address: Address,
    node: String,
    known: cache::Opened,
    meshes: watch::Sender<Mesh>,
}

/// The client at work.
#[derive(Debug)]
pub struct Following {
    pub offers: mpsc::Receiver<Offer>,
    pub links: watch::Receiver<Link>,
    /// Ends with the client.
    pub ended: oneshot::Receiver<()>,
}

impl ControlPlane {
    /// Reads what is known of it from the disk.
    pub fn open(options: &XdsOptions, address: &Address, node: String, state_dir: &Path) -> Self {
        let known = cache::open(state_dir, options.conversion());
        let meshes = watch::Sender::new(known.mesh.clone());
        Self { options: options.clone(), address: address.clone(), node, known, meshes }
    }

    /// For people.
    pub fn source(&self) -> String {
        format!("{SOURCE}{}", self.address)
    }

    /// What is known of what it says, now and from then on.
    pub fn meshes(&self) -> watch::Receiver<Mesh> {
        self.meshes.subscribe()
    }

    /// What a user should know of what was read.
    pub fn notes(&self) -> Vec<String> {
        self.known.notes.clone()
    }

    /// What it said last, if all of that is known.
    pub fn said(&self) -> Option<LastApplied> {
        self.known.whole.is_all().then(|| self.known())
    }

    /// What was applied whole last, where the tables had no room for what it said since.
    pub fn fits(&self) -> Option<LastApplied> {
        self.known.outdated.then(|| self.known())
    }

    fn known(&self) -> LastApplied {
        let mesh = &self.known.mesh;
        LastApplied {
            source: self.source(),
            digest: mesh.digest(),
            applied_unix_ms: self.known.keeper.synced_unix_ms().unwrap_or_else(clock::unix_ms),
            warnings: mesh.warnings(),
            snapshot: mesh.snapshot().clone(),
        }
    }

    /// Goes on listening, on a thread of its own: a hundred thousand resources take their time.
    pub fn follow(self) -> io::Result<Following> {
        let (offers, offered) = mpsc::channel(1);
        let (links, linked) = watch::channel(Link::default());
        let (hostnames, asked) = watch::channel(Arc::from([]));
        let (answer, answers) = mpsc::channel(ANSWERS);
        let (end, ended) = oneshot::channel();
        let resolv_conf = self.options.resolv_conf.clone();
        let config = self.options.client(&self.address, &self.node);
        let cache::Opened { mesh, whole, keeper, .. } = self.known;
        let ports = Ports { offers, links, hostnames, answers, meshes: self.meshes };
        let client = Client::new(config, mesh, whole, keeper, ports);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || {
            slice::shorten();
            let names = async move { names::look_up(&resolv_conf, asked, answer).await };
            let names = runtime.spawn(names);
            runtime.block_on(client.run());
            names.abort();
            // The agent may have stopped waiting.
            let _unheard = end.send(());
        };
        thread::Builder::new().name("control-plane".into()).spawn(work)?;
        Ok(Following { offers: offered, links: linked, ended })
    }
}
