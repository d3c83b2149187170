use std::path::PathBuf;

use evermesh_pins::probe::Seated;
use serde::Serialize;

use super::{
    capabilities,
    check::{Check, Verdict},
    facts::{Facts, TableFacts},
    host, kernel, lease, memory, neighbours, pins, placement,
};
use crate::command::pod::PodOutsideView;

/// What `doctor` shows. Field names stay.
#[derive(Debug, Serialize)]
pub struct DoctorView {
    /// The gravest of all.
    pub verdict: Verdict,
    pub checks: Vec<Check>,
    pub tables: Vec<TableView>,
    pub tables_bytes_full: u64,
    pub tables_bytes_standing: Option<u64>,
    /// None where they cannot be looked at.
    pub hooks: Option<Vec<HookView>>,
    pub pods_outside: Option<Vec<PodOutsideView>>,
}

/// A table as it would be made and as it stands.
#[derive(Debug, Serialize)]
pub struct TableView {
    pub table: &'static str,
    pub entries: u32,
    pub bytes_empty: u64,
    pub bytes_full: u64,
    pub standing_entries: Option<u32>,
    pub standing_bytes: Option<u64>,
}

/// The programs at a hook, in the order in which they run.
#[derive(Debug, Serialize)]
pub struct HookView {
    pub hook: &'static str,
    pub programs: Vec<ProgramView>,
    /// Those attached to cgroups below the hooked one, which run before these for what is in there.
    pub below: Vec<BelowView>,
}

#[derive(Debug, Serialize)]
pub struct ProgramView {
    pub id: u32,
    pub name: String,
    pub ours: bool,
}

#[derive(Debug, Serialize)]
pub struct BelowView {
    pub cgroup: PathBuf,
    #[serde(flatten)]
    pub program: ProgramView,
}

impl DoctorView {
    /// Judges the facts.
    pub fn of(facts: &Facts) -> Self {
        let groups = [
            capabilities::checks(facts),
            kernel::checks(facts),
            host::checks(facts),
            memory::checks(facts),
            neighbours::checks(facts),
            placement::checks(facts),
            pins::checks(facts),
            lease::checks(facts),
        ];
        let checks: Vec<Check> = groups.into_iter().flatten().collect();
        Self {
            verdict: checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok),
            checks,
            tables: facts.tables.iter().map(TableView::of).collect(),
            tables_bytes_full: memory::bytes_full(&facts.tables),
            tables_bytes_standing: memory::bytes_standing(&facts.tables),
            hooks: hooks(facts),
            pods_outside: facts.pods.as_ref().ok().map(|pods| pods.outside.iter().map(Into::into).collect()),
        }
    }
}

impl TableView {
    fn of(facts: &TableFacts) -> Self {
        Self {
            table: facts.table.name(),
            entries: facts.entries,
            bytes_empty: facts.footprint.empty,
            bytes_full: facts.footprint.full,
            standing_entries: facts.standing.map(|it| it.entries),
            standing_bytes: facts.standing.and_then(|it| it.bytes),
        }
    }
}

fn hooks(facts: &Facts) -> Option<Vec<HookView>> {
    let seats = facts.seats.as_ref().ok()?.iter();
    let program = |program: &Seated| ProgramView {
        id: program.id,
        name: program.name.clone(),
        ours: facts.own_programs.contains(&program.id),
    };
    let below =
        |(cgroup, seated): &(PathBuf, Seated)| BelowView { cgroup: cgroup.clone(), program: program(seated) };
    let view = seats.map(|seat| HookView {
        hook: seat.hook.name(),
        programs: seat.programs.iter().map(program).collect(),
        below: seat.below.iter().map(below).collect(),
    });
    Some(view.collect())
}
