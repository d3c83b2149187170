//! What a mesh of some size costs: from the model to the kernel's tables, one change, a whole new list, memory.

use std::{fs, hint::black_box, os::fd::AsFd as _};

use anyhow::{Context, Result};
use evermesh_agent::source;
use evermesh_chaos_tests::sandbox::Sandbox;
use evermesh_loader::{Config, DataPlane, lower_all, tables};
use evermesh_model::Place;
use evermesh_pins::{Inventory, PinDir, TablesView, host, probe::charged};

use crate::{
    figures::table,
    fleet::{ENDPOINTS_EACH, Fleet, NODE, NODES, endpoints, room},
    lay::Lay,
    time::{median, ms, timed, us},
};

/// Of three kinds, so many of each at most.
const CHANGES: u32 = 200;
const HEADER: [&str; 14] = [
    "services",
    "endpoints",
    "parse ms",
    "lower ms",
    "model to tables ms",
    "of these raw floor ms",
    "beside it ms",
    "one change us",
    "one of 10,000 us",
    "one on this node us",
    "new list, 1% changed ms",
    "adopt ms",
    "RSS MB",
    "kernel maps MB",
];

/// One row for each number of services.
pub fn measure(services: &[u32]) -> Result<String> {
    let rows = services.iter().map(|&count| row(count)).collect::<Result<Vec<_>>>()?;
    Ok(table(HEADER, 0, rows).to_string())
}

fn row(count: u32) -> Result<Vec<String>> {
    let sandbox = Sandbox::new()?;
    let pins = PinDir::new(sandbox.bpffs());
    let endpoints = endpoints(count);
    let config = Config {
        sizes: room(count, 3 * CHANGES),
        node: NODE.into(),
        ..Config::new(pins.clone(), host::cgroup(Some(sandbox.pods_cgroup().path()))?, sandbox.dir())
    };
    let mut parts = Fleet::new(count);
    let before = resident()?;
    let snapshot = parts.snapshot()?;
    let place = Place::default();
    let ((), lower) = timed(|| lower_all(&snapshot, &place).for_each(|lowered| drop(black_box(lowered))));
    let lay = Lay::measure(&snapshot, config.sizes)?;
    let (mut plane, _) = DataPlane::start(config, None)?;
    plane.apply(&snapshot)?;

    let mut now = snapshot;
    let mut one = |n: u32| {
        let changes = parts.replace(n);
        let (done, took) = timed(|| -> Result<()> {
            now = now.with(changes)?;
            plane.apply(&now)?;
            Ok(())
        });
        done.map(|()| took)
    };
    let of_few = median((0..CHANGES).map(|n| one(n * 7)))?;
    let of_many = median((0..CHANGES).map(|n| one(count * ENDPOINTS_EACH + n * 7)))?;
    let of_here = median((0..20).map(|n| one(1 + n * NODES)))?;
    plane.reclaim()?;
    (0..endpoints / 100).for_each(|n| drop(parts.replace(n * 100)));
    let list = parts.fresh()?;
    let (done, relist) = timed(|| plane.apply(&list));
    done?;
    let resident = resident()? - before;
    drop(plane);
    let inventory = Inventory::read(&pins)?;
    let live = inventory.generations.get(&1).context("the live generation")?;
    let adopt = {
        let view = TablesView::open(&pins, 1, live)?;
        timed(|| black_box(tables::adopt(&view))).1
    };
    let maps = live.tables.values().chain(inventory.frozen.values());
    let maps: u64 = maps.map(|pin| charged(pin.fd.as_fd())).sum::<Result<_, _>>()?;
    drop(inventory);
    let parse = {
        let path = sandbox.dir().join("mesh.yaml");
        parts.write(&path)?;
        let (parsed, parse) = timed(|| source::read(&path)?.parse());
        drop(parsed?);
        parse
    };
    sandbox.close()?;
    let [model_to_tables, floor, beside] = lay.figures();
    Ok(vec![
        count.to_string(),
        endpoints.to_string(),
        ms(parse),
        ms(lower),
        model_to_tables,
        floor,
        beside,
        us(of_few),
        us(of_many),
        us(of_here),
        ms(relist),
        ms(adopt),
        (resident / 1_000_000).to_string(),
        (maps / 1_000_000).to_string(),
    ])
}

/// Bytes of this process in memory.
fn resident() -> Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("the second field of statm")?.parse()?;
    Ok(pages * 4096)
}
