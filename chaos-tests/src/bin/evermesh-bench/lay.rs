//! From a model to the tables of a data plane that is new, beside what those tables take by themselves.

use std::time::Duration;

use anyhow::{Context as _, Result};
use evermesh_chaos_tests::sandbox::Sandbox;
use evermesh_loader::{Config, DataPlane, TableSizes, tables};
use evermesh_model::{Place, Snapshot};
use evermesh_pins::{Inventory, PinDir, host};

use crate::{
    figures::table,
    fleet::{Fleet, endpoints, room},
    time::{ms, timed},
};

const HEADER: [&str; 5] =
    ["services", "endpoints", "model to tables ms", "of these raw floor ms", "beside it ms"];

/// One row for each number of services.
pub fn measure(services: &[u32]) -> Result<String> {
    let row = |&count: &u32| -> Result<Vec<String>> {
        let counts = [count, endpoints(count)].map(|it| it.to_string());
        let lay = Lay::measure(&Fleet::new(count).snapshot()?, room(count, 0))?;
        Ok(counts.into_iter().chain(lay.figures()).collect())
    };
    let rows = services.iter().map(row).collect::<Result<Vec<_>>>()?;
    Ok(table(HEADER, 0, rows).to_string())
}

/// Two ways of having a model stand in tables.
pub struct Lay {
    /// Everything, as an agent does that starts: lowered, planned and stored, side by side.
    model_to_tables: Duration,
    /// The same stores, of a plan that was finished before: words into mapped arrays, keys by `BPF_MAP_UPDATE_BATCH`.
    floor: Duration,
}

impl Lay {
    pub fn measure(snapshot: &Snapshot, sizes: TableSizes) -> Result<Self> {
        let place = Place::default();
        let mut state = tables::State::empty(sizes);
        let (done, model_to_tables) = into_new_tables(sizes, |writer| {
            let everything = tables::Change::everything(snapshot, &place);
            tables::plan_in_parts(&mut state, everything, |part| -> Result<()> {
                writer.execute(part)?;
                Ok(())
            })
        })?;
        done?;
        drop(state);
        let mut state = tables::State::empty(sizes);
        let stores = tables::plan(&mut state, tables::Change::everything(snapshot, &place))?;
        let (done, floor) = into_new_tables(sizes, |writer| writer.execute(&stores))?;
        done?;
        Ok(Self { model_to_tables, floor })
    }

    /// Both, and the difference: what is ours.
    pub fn figures(&self) -> [String; 3] {
        let beside = self.model_to_tables.saturating_sub(self.floor);
        [self.model_to_tables, self.floor, beside].map(ms)
    }
}

/// How long `work` takes with tables that hold nothing yet, and are mapped.
fn into_new_tables<T>(
    sizes: TableSizes,
    work: impl FnOnce(&mut tables::TableWriter) -> T,
) -> Result<(T, Duration)> {
    let sandbox = Sandbox::new()?;
    let pins = PinDir::new(sandbox.bpffs());
    let cgroup = host::cgroup(Some(sandbox.pods_cgroup().path()))?;
    let (plane, _) =
        DataPlane::start(Config { sizes, ..Config::new(pins.clone(), cgroup, sandbox.dir()) }, None)?;
    let inventory = Inventory::read(&pins)?;
    let pins = inventory.generations.get(&1).context("the generation just made")?;
    let mut writer = tables::TableWriter::new(|table| pins.tables.get(&table))?;
    writer.execute(&[tables::Store::Slot { slot: 0, endpoint: 0 }])?;
    let done = timed(|| work(&mut writer));
    drop((writer, inventory, plane));
    sandbox.close()?;
    Ok(done)
}
