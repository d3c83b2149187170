//! From what was said to what traffic obeys, and back to an answer.

use tokio::sync::oneshot;

use super::{Answer, Client, Ended, Offer, Stream};
use crate::{Kind, Milestone, Receipt, Rejected, Said, reasons};

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
        let taken = self.mesh.take(said);
        self.keeper.remember(&taken.changed);
        // Even a mesh of nothing is another one than none.
        self.behind |= before != self.mesh.digest() || (everything && !self.whole.contains(kind));
        if everything {
            self.whole.insert(kind);
        }
        self.remember_lost();
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
            Milestone::Answered.pass();
        }
        Ok(())
    }

    /// A database that is new, or was lost, is given all that is known: also what the control plane says otherwise now, and
    /// could not be understood.
    fn remember_lost(&mut self) {
        for kind in Kind::ALL.into_iter().filter(|kind| self.whole.contains(*kind)) {
            self.keeper.remember_all(kind, &self.mesh);
        }
    }

    /// The same while the control plane says nothing.
    pub(super) fn make_up_for_lost(&mut self) {
        if !self.behind && self.whole.is_all() {
            self.remember_lost();
            self.keeper.keep();
        }
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

    /// Has the mesh applied; what was applied is kept. Of what was not, traffic may obey a part.
    async fn offer(&mut self) -> Result<Result<(), String>, Ended> {
        let (done, told) = oneshot::channel();
        let offer = Offer {
            snapshot: self.mesh.snapshot().clone(),
            digest: self.mesh.digest(),
            warnings: self.mesh.warnings(),
            done,
        };
        Milestone::Offered.pass();
        self.ports.offers.send(offer).await.map_err(|_| Ended)?;
        let applied = told.await.map_err(|_| Ended)?;
        self.behind = applied.is_err();
        match applied {
            Ok(()) => self.keeper.keep(),
            Err(_) => self.keeper.fall_behind(),
        }
        Ok(applied)
    }
}
