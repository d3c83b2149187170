//! A writer that ends after any store of a change, on the kernel's own tables.

use std::collections::BTreeMap;

use evermesh_loader::{
    Lowered, lower_all,
    tables::{self, Change, Meaning, Store, TableWriter},
};
use evermesh_model::{Memberships, Place, ServiceKey, Snapshot, Workload, WorkloadUid};
use evermesh_pins::{Inventory, TablesView};

use crate::bench::{Bench, key, service_at};

/// The tables of a generation that no agent writes to.
///
/// Declared in the order in which things must go.
struct Tables {
    writer: TableWriter,
    view: TablesView,
    inventory: Inventory,
    bench: Bench,
}

impl Tables {
    fn new() -> Self {
        let bench = Bench::new();
        drop(bench.start(None));
        let inventory = Inventory::read(&bench.pins()).unwrap();
        let pins = &inventory.generations[&1];
        let view = TablesView::open(&bench.pins(), 1, pins).unwrap();
        let writer = TableWriter::new(|table| pins.tables.get(&table)).unwrap();
        Self { writer, view, inventory, bench }
    }

    fn meaning(&mut self) -> Meaning {
        self.view.read_frontends(&self.bench.pins(), 1, &self.inventory.generations[&1]).unwrap();
        Meaning::of_tables(&self.view)
    }

    /// What leads from what the tables say to this mesh.
    fn stores_to(&mut self, mesh: &Snapshot) -> Vec<Store> {
        self.meaning();
        let mut state = tables::adopt(&self.view);
        tables::plan(&mut state, Change::everything(mesh, &Place::default())).unwrap()
    }

    /// Stores one by one; after each, every destination reaches its old or its new endpoints.
    fn store(&mut self, stores: &[Store], before: &Snapshot, after: &Snapshot) {
        let states = [before, after].map(|mesh| Meaning::of_model(&lowered(mesh)));
        for store in stores {
            self.writer.execute(std::slice::from_ref(store)).unwrap();
            assert_eq!(self.meaning().stray(&states), None, "after {store:?}");
        }
    }
}

fn lowered(mesh: &Snapshot) -> BTreeMap<ServiceKey, Lowered> {
    lower_all(mesh, &Place::default()).collect()
}

/// Member `n` of the first service where bit `n` is set in `first`; the second likewise, absent if 0.
fn mesh(first: u32, second: u32) -> Snapshot {
    let other = ServiceKey { hostname: "other.demo.svc.cluster.local".into(), ..key() };
    let mut services = vec![service_at(key(), &["10.96.0.10", "fd00:96::a"])];
    services.extend((second != 0).then(|| service_at(other.clone(), &["10.96.0.11"])));
    let workloads = (0..12).map(|n| {
        let member_of =
            |set: u32, key: &ServiceKey| (set >> n & 1 == 1).then(|| (key.clone(), BTreeMap::new()));
        let of_other = if second == 0 { None } else { member_of(second, &other) };
        workload(n, member_of(first, &key()).into_iter().chain(of_other).collect())
    });
    Snapshot::new(services, workloads, []).unwrap()
}

fn workload(n: u32, services: Memberships) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/{n}")),
        name: n.to_string().into(),
        namespace: "demo".into(),
        addresses: [format!("10.244.9.{n}"), format!("fd00:244:9::{n}")]
            .map(|ip| ip.parse().unwrap())
            .to_vec()
            .into(),
        services,
        ..Workload::default()
    }
}

const HISTORY: [(u32, u32); 8] =
    [(0, 0), (0b111, 0), (0b1101, 0b11), (0xfff, 0b1), (0xf0f, 0xff), (0, 0xfff), (0b1, 0), (0xff0, 0x0ff)];

#[test]
fn every_cut_leaves_the_old_or_the_new_state_and_adoption_finishes_it() {
    let mut tables = Tables::new();
    let first = mesh(HISTORY[0].0, HISTORY[0].1);
    let stores = tables.stores_to(&first);
    tables.store(&stores, &Snapshot::default(), &first);
    let mut cuts = 0;
    for pair in HISTORY.windows(2) {
        let [before, after] = [pair[0], pair[1]].map(|(first, second)| mesh(first, second));
        for cut in 0.. {
            let back = tables.stores_to(&before);
            tables.store(&back, &after, &before);
            let change = tables.stores_to(&after);
            tables.store(&change[..cut.min(change.len())], &before, &after);
            let rest = tables.stores_to(&after);
            tables.store(&rest, &before, &after);
            tables::check(&lowered(&after), &tables.view).unwrap();
            assert_eq!(tables.stores_to(&after), []);
            cuts += 1;
            if cut >= change.len() {
                break;
            }
        }
    }
    assert!(cuts > 100, "{cuts}");
}
