use std::{
    io::{self, Read as _},
    thread,
};

use evermesh_handover::gate::Verdict;
use evermesh_loader::{ApplyError, DataPlane, Standing, StartError, generation::ChangeError};
use evermesh_pins::{
    FrozenMap, FrozenMapError, Inventory, InventoryError, PinDir, Table,
    layout::{Carried, Kernel, Layouts, UnknownFields},
};
use tracing::info;

use crate::{AgentError, LayoutsError, Options, judge::Judge, layouts, start, supervisor};

/// Why the maps that programs write were not brought to the layouts that the follower knows. Traffic goes on by what stands.
#[derive(Debug, thiserror::Error)]
pub enum StepDownError {
    /// What the follower says of its layouts was not understood.
    #[error("what the release that follows says of its layouts cannot be understood: {0}")]
    Said(#[from] serde_json::Error),
    /// It could not be read.
    #[error("cannot read what the release that follows says of its layouts: {0}")]
    Read(#[from] io::Error),
    /// The host or the kernel programs are not usable.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// This release's own layouts are not known.
    #[error(transparent)]
    Layouts(#[from] LayoutsError),
    /// The pins are not those of this release, or what was interrupted before could not be finished.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The pins could not be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The fields of a map could not be read.
    #[error("{table}: {source}")]
    Fields {
        /// Which.
        table: Table,
        /// Why.
        source: UnknownFields,
    },
    /// The follower can do nothing with what is pinned, and this release neither.
    #[error("the release that follows cannot take over {table}: {reason}")]
    Refused {
        /// Which map.
        table: Table,
        /// Why.
        reason: String,
    },
    /// The change failed; it was undone, or is by the next start.
    #[error("cannot step down: {0}")]
    Change(#[from] ChangeError),
    /// What was seen of the generation could not be read.
    #[error(transparent)]
    Report(#[from] ApplyError),
    /// The generation did not pass the gate.
    #[error("stepping down was rolled back: {reason}")]
    RolledBack {
        /// Why.
        reason: String,
    },
    /// A frozen map could not be opened.
    #[error(transparent)]
    Frozen(#[from] FrozenMapError),
    /// A map is not of the layout that it should have by now: a defect.
    #[error("{table} is not of the layout of the release before, although it was stepped down")]
    Unfinished {
        /// Which.
        table: Table,
    },
}

/// Brings the maps that programs write to the layouts of the release before, under traffic, if the release that follows needs that;
/// what it says of its own layouts comes by stdin. To be called by a process that does nothing else, while no agent runs.
///
/// 1. Finishes or undoes a change that was interrupted.
/// 2. Compares what is pinned with what the follower knows: it may be nothing has to be done, or nothing can.
/// 3. Leads traffic to this release's programs over maps of the layouts before, on trial as any generation is.
pub fn step_down(options: &Options) -> Result<(), StepDownError> {
    perform(options).inspect_err(supervisor::failed)
}

fn perform(options: &Options) -> Result<(), StepDownError> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    let follower: Layouts = serde_json::from_str(&text)?;
    let config = start::data_plane(options)?;
    let (pins, own) = (config.pins.clone(), layouts::of(&config.object)?);
    let Some(mut plane) = Standing::read(config)?.settle()? else { return Ok(()) };
    if !is_needed(&pins, &follower, &own, &options.accept_loss)? {
        info!("nothing to step down from: the release that follows knows what is pinned");
        return Ok(());
    }
    supervisor::status("steps down to the layouts of the release before");
    plane.try_step_down()?;
    await_word(&mut plane, &Judge::new(&options.run_dir))?;
    Table::CARRIED.into_iter().try_for_each(|table| is_of_before(&pins, table))
}

/// Where something is lost, so is whatever would have to be carried over besides: that is for the follower to do, or to refuse.
fn is_needed(
    pins: &PinDir,
    follower: &Layouts,
    own: &Layouts,
    accept_loss: &[Table],
) -> Result<bool, StepDownError> {
    let (inventory, mut kernel) = (Inventory::read(pins)?, Kernel::default());
    let (mut needed, mut lost) = (false, false);
    for (&table, pin) in &inventory.frozen {
        let has_own_bytes = pin.info.layout.has_bytes_of(&table.layout());
        let pinned = match kernel.describe_frozen(&pin.info) {
            Ok(pinned) => pinned,
            // Made by a release whose maps had no types.
            Err(_) if has_own_bytes => table.description(),
            Err(source) => return Err(StepDownError::Fields { table, source }),
        };
        match Carried::to_candidate(table, &pinned, follower, Some(own)) {
            Carried::Refused { .. } if accept_loss.contains(&table) => lost = true,
            Carried::Refused { reason } => return Err(StepDownError::Refused { table, reason }),
            carried => needed |= carried == Carried::SteppedDown,
        }
    }
    Ok(needed && !lost)
}

fn await_word(plane: &mut DataPlane, judge: &Judge) -> Result<(), StepDownError> {
    while let Some(report) = plane.report()? {
        match judge.judge(&report) {
            Verdict::Wait => thread::sleep(Judge::EVERY),
            Verdict::Commit => plane.commit()?,
            Verdict::RollBack { reason } => {
                plane.roll_back(&reason)?;
                return Err(StepDownError::RolledBack { reason });
            }
        }
    }
    Ok(())
}

fn is_of_before(pins: &PinDir, table: Table) -> Result<(), StepDownError> {
    let (map, _) = FrozenMap::open_known(pins, table)?;
    let is_of_before = Kernel::default().is_shared_with(table, &map.info, &table.description_before());
    is_of_before.map_err(|_| StepDownError::Unfinished { table })
}
