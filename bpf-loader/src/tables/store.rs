use evermesh_abi::{Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};

/// One change to one element. A plan is a list of these in an order in which every prefix leaves the tables
/// meaning, for each destination, either the old or the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Names a service id, or frees it with a zero digest.
    ServiceMeta {
        /// Service id.
        id: u32,
        /// New value.
        meta: ServiceMeta,
    },
    /// Writes an endpoint record that nothing refers to yet.
    Endpoint {
        /// Endpoint id.
        id: u32,
        /// New value.
        record: Endpoint,
    },
    /// Marks a record that no slot refers to any more, so that flows that remember it move.
    RetireEndpoint {
        /// Endpoint id.
        id: u32,
    },
    /// Puts an endpoint into a slot.
    Slot {
        /// Slot.
        slot: u32,
        /// Endpoint id.
        endpoint: u32,
    },
    /// Replaces a service's endpoint set: one atomic store.
    Service {
        /// Service id.
        id: u32,
        /// New value.
        word: ServiceWord,
    },
    /// Makes a key lead to a service, or marks an address as known.
    SetFrontend {
        /// Key.
        key: FrontendKey,
        /// New value.
        value: FrontendValue,
    },
    /// Deletes a key.
    RemoveFrontend {
        /// Key.
        key: FrontendKey,
    },
    /// Waits until every program run that began earlier has ended, 8 to 16 ms: it may have found a service by a key that has left it since,
    /// and that service is about to change.
    Barrier,
}
