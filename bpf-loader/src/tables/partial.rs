use evermesh_abi::{ServiceMeta, ServiceWord};

use super::Store;

/// What can be done of a plan where no key can be set or deleted, as in tables whose keys are of another layout: services
/// that stand lead to the endpoints that they should, or, where they should go, to none; ids stay taken as long as a key may lead to
/// them; services that are new have to wait. Nothing has to be left out of a plan without keys.
pub fn without_keys(stores: &[Store], stands: impl Fn(u32) -> bool) -> Vec<Store> {
    let is_key = |store: &Store| matches!(store, Store::SetFrontend { .. } | Store::RemoveFrontend { .. });
    let concerns_keys = stores.iter().any(is_key);
    if !concerns_keys {
        return stores.to_vec();
    }
    let possible = |store: &Store| match *store {
        Store::SetFrontend { .. } | Store::RemoveFrontend { .. } => None,
        Store::ServiceMeta { id, meta } => {
            let goes = meta == ServiceMeta::default() && stands(id);
            goes.then_some(Store::Service { id, word: ServiceWord::EMPTY })
        }
        Store::Service { id, .. } => stands(id).then_some(*store),
        Store::Endpoint { .. } | Store::RetireEndpoint { .. } | Store::Slot { .. } | Store::Barrier => {
            Some(*store)
        }
    };
    stores.iter().filter_map(possible).collect()
}

#[cfg(test)]
mod tests {
    use evermesh_abi::{ALGORITHM_RANDOM, Address, Endpoint, FrontendKey, FrontendValue};

    use super::*;

    #[test]
    fn services_that_stand_change_their_endpoints_and_new_ones_wait() {
        let key = FrontendKey::new(Address::from_ipv4(1), 80, 6);
        let endpoints = [
            Store::Endpoint { id: 3, record: Endpoint::default() },
            Store::Slot { slot: 1, endpoint: 3 },
            Store::RetireEndpoint { id: 2 },
        ];
        let [standing, new] =
            [1, 2].map(|id| Store::Service { id, word: ServiceWord::new(ALGORITHM_RANDOM, 1, 1) });
        let meta = Store::ServiceMeta { id: 2, meta: ServiceMeta { digest: 7, ..ServiceMeta::default() } };
        let keys =
            [Store::SetFrontend { key, value: FrontendValue::new(2, &key) }, Store::RemoveFrontend { key }];
        let plan = [&endpoints[..], &[standing, new, meta], &keys].concat();
        assert_eq!(without_keys(&plan, |id| id == 1), [&endpoints[..], &[standing]].concat());
    }

    #[test]
    fn a_service_that_goes_leads_to_nobody_and_keeps_its_name() {
        let key = FrontendKey::new(Address::from_ipv4(1), 80, 6);
        let plan = [
            Store::RemoveFrontend { key },
            Store::ServiceMeta { id: 2, meta: ServiceMeta::default() },
            Store::RetireEndpoint { id: 2 },
        ];
        let empty = Store::Service { id: 2, word: ServiceWord::EMPTY };
        assert_eq!(without_keys(&plan, |id| id == 2), [empty, Store::RetireEndpoint { id: 2 }]);
        assert_eq!(without_keys(&plan, |_| false), [Store::RetireEndpoint { id: 2 }]);
    }

    #[test]
    fn a_plan_without_keys_is_done_whole() {
        let plan = [
            Store::ServiceMeta { id: 2, meta: ServiceMeta::default() },
            Store::Service { id: 2, word: ServiceWord::EMPTY },
        ];
        assert_eq!(without_keys(&plan, |_| false), plan);
    }
}
