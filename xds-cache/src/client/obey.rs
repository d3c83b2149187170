//! From what was said to what traffic obeys, and back to an answer.

use evermesh_proto::discovery::Resource;
use tokio::sync::oneshot;

use super::{Answer, Client, Ended, Offer, Stream};
use crate::{Kind, Name, Receipt, Rejected, Said, reasons};

/// Responses that are answered when everything was said: how, and what of each could not be understood.
pub(super) type Owed = Vec<(Receipt, Vec<Rejected>)>;

impl Client {
    /// Takes in a response, has it applied, and answers it. What is not known completely is not applied, or what is not
    /// said yet would look like gone: such a response is answered later.
    pub(super) async fn take(
        &mut self,
        said: Said,
        receipt: Receipt,
        owed: &mut Owed,
        stream: &mut Stream,
    ) -> Result<(), Ended> {
        let before = self.mesh.digest();
        let (kind, everything) = (said.kind, said.everything);
        let all = (everything && !self.keeper.holds().contains(kind)).then(|| said.resources.clone());
        let taken = self.mesh.take(said);
        self.keeper.remember(&taken.changed);
        if let Some(resources) = all {
            self.remember_all(kind, resources, &taken.rejected);
        }
        // Even a mesh of nothing is another one than none.
        self.behind |= before != self.mesh.digest() || (everything && !self.whole.contains(kind));
        if everything {
            self.whole.insert(kind);
        }
        owed.push((receipt, taken.rejected));
        self.ports.meshes.send_replace(self.mesh.clone());
        self.tell_hostnames();
        if !self.whole.is_all() {
            return Ok(());
        }
        let applied = match self.behind {
            true => self.offer().await?,
            // Versions may be others.
            false => {
                self.keeper.keep();
                Ok(())
            }
        };
        for (receipt, rejected) in owed.drain(..) {
            let answer = match (&applied, rejected.is_empty()) {
                (Ok(()), true) => receipt.ack(),
                (Ok(()), false) => receipt.nack(reasons(&rejected)),
                (Err(reason), _) => receipt.nack(reason.clone()),
            };
            self.links.answered(&answer);
            stream.send(answer);
        }
        Ok(())
    }

    /// The store lacks what was known before.
    fn remember_all(&mut self, kind: Kind, resources: Vec<Resource>, rejected: &[Rejected]) {
        let is_good = |name: &Name| rejected.iter().all(|one| one.name != *name);
        let named = |resource: Resource| (Name { kind, name: resource.name.as_str().into() }, Some(resource));
        let all: Vec<_> = resources.into_iter().map(named).filter(|(name, _)| is_good(name)).collect();
        self.keeper.remember_all(kind, &all);
    }

    /// Takes in where a hostname leads.
    pub(super) async fn hear(
        &mut self,
        Answer { hostname, addresses, is_whole }: Answer,
    ) -> Result<(), Ended> {
        if !is_whole && self.mesh.is_resolved(&hostname) {
            return Ok(());
        }
        if self.mesh.resolve(&hostname, addresses.clone()) {
            self.behind = true;
            self.keeper.remember_answer(&hostname, &addresses);
            self.ports.meshes.send_replace(self.mesh.clone());
            if self.whole.is_all() {
                // Nobody waits for an answer; what could not be applied is offered with the next change.
                let _told = self.offer().await?;
            }
        }
        Ok(())
    }

    /// Has the mesh applied; what was applied is kept.
    async fn offer(&mut self) -> Result<Result<(), String>, Ended> {
        let (done, told) = oneshot::channel();
        let offer = Offer {
            snapshot: self.mesh.snapshot().clone(),
            digest: self.mesh.digest(),
            warnings: self.mesh.warnings(),
            done,
        };
        self.ports.offers.send(offer).await.map_err(|_| Ended)?;
        let applied = told.await.map_err(|_| Ended)?;
        self.behind = applied.is_err();
        if applied.is_ok() {
            self.keeper.keep();
        }
        Ok(applied)
    }
}
