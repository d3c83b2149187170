use std::time::Duration;

use evermesh_xds_cache::client::{Link, Offer};
use tokio::time::timeout;
use tracing::warn;

use crate::{source::Watch, xds::Following};

/// How long an agent that ends waits for what the control plane said to get to the disk.
const KEEPING_MAX: Duration = Duration::from_secs(3);

/// Tells what happens at the source of the configuration.
pub enum News {
    Files(Box<Watch>),
    ControlPlane(Following),
}

/// Something that happened there.
pub enum Heard {
    /// Files may have changed.
    Changed,
    /// A control plane offers a mesh.
    Offer(Offer),
    /// The connection to the control plane is another one.
    Link(Box<Link>),
    /// The client has ended by itself: it panicked.
    Gone,
}

impl News {
    /// The next one. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Heard {
        match self {
            Self::Files(watch) => {
                watch.changed().await;
                Heard::Changed
            }
            Self::ControlPlane(following) => following.next().await,
        }
    }

    /// Ends it, when what was heard is on the disk.
    pub async fn end(self) {
        let Self::ControlPlane(Following { offers, links, ended }) = self else { return };
        drop((offers, links));
        if timeout(KEEPING_MAX, ended).await.is_err() {
            warn!("what the control plane said did not get to the disk in time");
        }
    }
}

impl Following {
    async fn next(&mut self) -> Heard {
        tokio::select! {
            Some(offer) = self.offers.recv() => Heard::Offer(offer),
            Ok(()) = self.links.changed() => Heard::Link(Box::new(self.links.borrow_and_update().clone())),
            else => Heard::Gone,
        }
    }
}
