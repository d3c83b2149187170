//! What a control plane must not do, and does when it is told to.

use std::time::Duration;

use evermesh_proto::discovery::{DeltaDiscoveryResponse, Resource};
use tonic::Code;

/// Type URL of a response that is no type at all, and of a resource that does not belong where it is.
pub const FOREIGN_TYPE: &str = "type.googleapis.com/evermesh.test.Foreign";

/// One way to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The bytes of a resource are no message.
    Garbage,
    /// A resource is of [`FOREIGN_TYPE`].
    OtherType,
    /// A resource has no bytes and no type at all.
    NoResource,
    /// A resource has an empty name.
    EmptyName,
    /// A resource `NAME` is called `not/NAME`.
    WrongName,
    /// A resource is there twice.
    DuplicateName,
    /// A resource is there, and removed.
    AddedAndRemoved,
    /// The response is of [`FOREIGN_TYPE`].
    UnknownType,
    /// The response has no nonce.
    EmptyNonce,
    /// The response has the nonce of the one before it on this stream.
    RepeatedNonce,
    /// From this response on nothing is sent on the stream. It stays open, and what the client says is still seen.
    Stall,
    /// The response is sent after that time. Meanwhile nothing is read.
    Late(Duration),
    /// Half the bytes of the response are sent, then nothing more, as with [`Lie::Stall`].
    Half,
    /// Instead of the response, the connection is cut: TCP RST.
    ResetConnection,
    /// Instead of the response, the connection is closed: TCP FIN (or RST, if the client has just written).
    CloseConnection,
    /// Instead of the response, the stream is reset: HTTP/2 `RST_STREAM`.
    ResetStream,
    /// Instead of the response, the server ends its side of the stream with that status.
    End(Code),
    /// After the response comes a GOAWAY, and after that time the connection is closed, as at the end of a
    /// connection's maximum age.
    GoAway(Duration),
}

/// A lie, and when to tell it. By itself, a [`Lie`] means: in the next response that it can be told in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    lie: Lie,
    /// `None`: for good.
    times: Option<usize>,
    every: usize,
    about: Option<String>,
    on: Option<String>,
    /// Responses that it could have been told in.
    met: usize,
}

impl From<Lie> for Order {
    fn from(lie: Lie) -> Self {
        Self { lie, times: Some(1), every: 1, about: None, on: None, met: 0 }
    }
}

impl Lie {
    /// In the next `times` responses.
    pub fn times(self, times: usize) -> Order {
        Order { times: Some(times), ..self.into() }
    }

    /// In every response, until [`super::Istiod::be_honest`].
    pub fn for_good(self) -> Order {
        Order { times: None, ..self.into() }
    }

    /// In every `nth` response, until [`super::Istiod::be_honest`].
    pub fn every(self, nth: usize) -> Order {
        Order { times: None, every: nth.max(1), ..self.into() }
    }

    /// In the next response of that type.
    pub fn about(self, type_url: &str) -> Order {
        Order::from(self).about(type_url)
    }

    /// In the next response that has the resource `name`, and of that resource.
    pub fn on(self, name: &str) -> Order {
        Order::from(self).on(name)
    }

    fn concerns_a_resource(self) -> bool {
        use Lie::*;
        matches!(
            self,
            Garbage | OtherType | NoResource | EmptyName | WrongName | DuplicateName | AddedAndRemoved
        )
    }
}

impl Order {
    /// Only in responses of that type.
    #[must_use]
    pub fn about(self, type_url: &str) -> Self {
        Self { about: Some(type_url.to_owned()), ..self }
    }

    /// Only in responses that have the resource `name`, and of that resource. Otherwise of the first by name.
    #[must_use]
    pub fn on(self, name: &str) -> Self {
        Self { on: Some(name.to_owned()), ..self }
    }

    /// Which resource it is told of; `None` if it cannot be told in this response.
    fn target(&self, response: &DeltaDiscoveryResponse, previous_nonce: Option<&str>) -> Option<usize> {
        if self.about.as_ref().is_some_and(|about| *about != response.type_url)
            || self.lie == Lie::RepeatedNonce && previous_nonce.is_none()
        {
            return None;
        }
        match &self.on {
            Some(name) => response.resources.iter().position(|resource| resource.name == *name),
            None if self.lie.concerns_a_resource() && response.resources.is_empty() => None,
            None => Some(0),
        }
    }
}

/// The lies that are to be told.
#[derive(Debug, Default)]
pub(super) struct Lies(Vec<Order>);

impl Lies {
    pub(super) fn add(&mut self, order: Order) {
        self.0.push(order);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Distorts a response. Returns the lies told; those about its delivery are still to be performed.
    pub(super) fn tell(
        &mut self,
        response: &mut DeltaDiscoveryResponse,
        previous_nonce: Option<&str>,
    ) -> Vec<Lie> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let honest = response.clone();
        let mut told = Vec::new();
        for order in &mut self.0 {
            let Some(target) = order.target(&honest, previous_nonce) else { continue };
            order.met += 1;
            if order.met % order.every == 0 {
                order.times = order.times.map(|times| times.saturating_sub(1));
                distort(order.lie, response, honest.resources.get(target), target, previous_nonce);
                told.push(order.lie);
            }
        }
        self.0.retain(|order| order.times != Some(0));
        told
    }
}

fn distort(
    lie: Lie,
    response: &mut DeltaDiscoveryResponse,
    honest: Option<&Resource>,
    target: usize,
    previous_nonce: Option<&str>,
) {
    match lie {
        Lie::UnknownType => FOREIGN_TYPE.clone_into(&mut response.type_url),
        Lie::EmptyNonce => response.nonce.clear(),
        Lie::RepeatedNonce => previous_nonce.unwrap_or_default().clone_into(&mut response.nonce),
        Lie::DuplicateName => response.resources.extend(honest.cloned()),
        Lie::AddedAndRemoved => response.removed_resources.extend(honest.map(|honest| honest.name.clone())),
        _ => {
            if let Some(resource) = response.resources.get_mut(target) {
                distort_resource(lie, resource);
            }
        }
    }
}

fn distort_resource(lie: Lie, resource: &mut Resource) {
    match (lie, &mut resource.resource) {
        (Lie::Garbage, Some(packed)) => packed.value = vec![0xff; 16].into(),
        (Lie::OtherType, Some(packed)) => FOREIGN_TYPE.clone_into(&mut packed.type_url),
        (Lie::NoResource, resource) => *resource = None,
        (Lie::EmptyName, _) => resource.name.clear(),
        (Lie::WrongName, _) => resource.name = format!("not/{}", resource.name),
        _ => {}
    }
}
