//! One subscription to everything, over as many streams as it takes. Pure: what was received goes in, what is to be sent
//! comes out.

mod initial;

use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Status};

use crate::{Kind, Mesh, Rejected, Said};

/// gRPC's code for an argument that makes no sense.
const INVALID_ARGUMENT: i32 = 3;
/// So many reasons are told, and so much of each; the control plane logs them, and receives no more than 4 MiB.
const REASONS: usize = 10;
const REASON_CHARS: usize = 1000;

/// One stream, from its opening to its end.
#[derive(Debug)]
pub struct Session {
    kinds: Vec<Subscription>,
}

#[derive(Debug)]
struct Subscription {
    kind: Kind,
    /// The control plane was told what is known, so it says what is gone.
    told: bool,
    /// The answer to the subscription has come.
    answered: bool,
}

/// A response that is to be taken in, and then answered.
#[derive(Debug)]
pub struct Received {
    /// What it says.
    pub said: Said,
    /// The first of its kind on its stream: what was wrong before and still is, is in it.
    pub first: bool,
    nonce: String,
}

/// Why a stream makes no sense and is given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// Nobody asked for it.
    #[error("the control plane sent resources of the type `{0}`, which was not subscribed to")]
    Type(String),
    /// It could not be answered.
    #[error("the control plane sent a response of {0} without a nonce")]
    Nonce(Kind),
}

impl Session {
    /// Opens a stream: what is to be sent on it first. `known`: what the control plane need not say again.
    pub fn open(node: Node, known: Option<&Mesh>) -> (Self, Vec<DeltaDiscoveryRequest>) {
        let mut node = Some(node);
        let open = |kind| {
            let request = initial::request(kind, node.take(), known);
            let told = !request.initial_resource_versions.is_empty();
            (Subscription { kind, told, answered: false }, request)
        };
        let (kinds, requests) = Kind::ALL.into_iter().map(open).unzip();
        (Self { kinds }, requests)
    }

    /// Takes in a response. The first of a kind says everything, unless the control plane was told what is known.
    pub fn receive(&mut self, response: DeltaDiscoveryResponse) -> Result<Received, Nonsense> {
        let DeltaDiscoveryResponse { resources, type_url, nonce, removed_resources, .. } = response;
        let wanted = |subscription: &&mut Subscription| subscription.kind.type_url() == type_url;
        let Some(subscription) = self.kinds.iter_mut().find(wanted) else {
            return Err(Nonsense::Type(type_url));
        };
        let kind = subscription.kind;
        if nonce.is_empty() {
            return Err(Nonsense::Nonce(kind));
        }
        let first = !std::mem::replace(&mut subscription.answered, true);
        let everything = first && !subscription.told;
        Ok(Received { said: Said { kind, resources, removed: removed_resources, everything }, first, nonce })
    }

    /// Whether every subscription has been answered.
    pub fn is_synced(&self) -> bool {
        self.kinds.iter().all(|subscription| subscription.answered)
    }
}

/// Which response is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    kind: Kind,
    nonce: String,
}

impl Received {
    /// What is to be taken in, and what to answer it with.
    pub fn into_parts(self) -> (Said, Receipt) {
        let receipt = Receipt { kind: self.said.kind, nonce: self.nonce };
        (self.said, receipt)
    }
}

impl Receipt {
    /// Says that traffic obeys the response.
    pub fn ack(self) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            type_url: self.kind.type_url().into(),
            response_nonce: self.nonce,
            ..DeltaDiscoveryRequest::default()
        }
    }

    /// Says that traffic does not obey all of the response, and why.
    pub fn nack(self, message: String) -> DeltaDiscoveryRequest {
        let error_detail = Some(Status { code: INVALID_ARGUMENT, message });
        DeltaDiscoveryRequest { error_detail, ..self.ack() }
    }
}

/// What is wrong, in one text for the control plane's log.
pub fn reasons(rejected: &[Rejected]) -> String {
    let reason = |one: &Rejected| -> String {
        format!("{}: {}", one.name.name, one.reason).chars().take(REASON_CHARS).collect()
    };
    let some = rejected.iter().take(REASONS).map(reason);
    let mut text = some.collect::<Vec<_>>().join("; ");
    if rejected.len() > REASONS {
        text.push_str(&format!("; and {} more", rejected.len() - REASONS));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{of_service, policy, said, service};

    fn response(kind: Kind, nonce: &str) -> DeltaDiscoveryResponse {
        DeltaDiscoveryResponse {
            type_url: kind.type_url().into(),
            nonce: nonce.into(),
            ..DeltaDiscoveryResponse::default()
        }
    }

    fn knowing() -> Mesh {
        let mut mesh = Mesh::default();
        mesh.take(said(vec![of_service(service("web", &[[10, 96, 0, 1]]))]));
        mesh.take(Said { kind: Kind::Authorization, ..said(vec![policy("p1")]) });
        mesh
    }

    #[test]
    fn who_knows_nothing_is_told_everything() {
        let (mut session, requests) = Session::open(Node::default(), None);
        assert_eq!(requests.iter().map(|it| it.node.is_some()).collect::<Vec<_>>(), [true, false]);
        let mut everything = |kind| session.receive(response(kind, "1")).unwrap().said.everything;
        assert_eq!(Kind::ALL.map(&mut everything), [true, true]);
        assert_eq!(Kind::ALL.map(&mut everything), [false, false]);
        assert!(session.is_synced());
    }

    #[test]
    fn who_says_what_it_knows_is_told_what_is_gone_but_policies_have_no_versions() {
        let (mut session, requests) = Session::open(Node::default(), Some(&knowing()));
        let told: Vec<_> = requests.iter().map(|it| it.initial_resource_versions.len()).collect();
        assert_eq!(told, [1, 0]);
        let everything = Kind::ALL.map(|kind| session.receive(response(kind, "1")).unwrap().said.everything);
        assert_eq!(everything, [false, true]);
    }

    #[test]
    fn what_nobody_asked_for_ends_the_stream() {
        let (mut session, _) = Session::open(Node::default(), None);
        let cluster = DeltaDiscoveryResponse { type_url: "Cluster".into(), ..response(Kind::Address, "1") };
        assert_eq!(session.receive(cluster).unwrap_err(), Nonsense::Type("Cluster".into()));
        assert_eq!(session.receive(response(Kind::Address, "")).unwrap_err(), Nonsense::Nonce(Kind::Address));
    }

    #[test]
    fn whatever_is_wrong_the_answer_stays_small() {
        let name = crate::Name { kind: Kind::Address, name: "w".repeat(1 << 20).into() };
        let rejected = vec![Rejected { name, reason: "no".repeat(1 << 20) }; 100];
        let text = reasons(&rejected);
        assert!(text.len() < 20_000 && text.ends_with("; and 90 more"), "{}", text.len());
    }

    #[test]
    fn an_answer_names_the_response_and_what_is_wrong_with_it() {
        let (mut session, _) = Session::open(Node::default(), None);
        let (_, receipt) = session.receive(response(Kind::Address, "n1")).unwrap().into_parts();
        let (ack, nack) = (receipt.clone().ack(), receipt.nack("w1: is garbage".into()));
        assert_eq!((ack.response_nonce.as_str(), ack.error_detail), ("n1", None));
        assert_eq!((nack.response_nonce.as_str(), nack.error_detail.unwrap().code), ("n1", 3));
    }
}
