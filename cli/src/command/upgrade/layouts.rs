//! How the maps that are pinned here come to another release, field by field.

use std::{fmt, path::Path};

use evermesh_pins::{
    Inventory, InventoryError, MapPin, PinDir, Table,
    layout::{
        Carried, Change, Description, Difference, Field, FieldDifference, Kernel, Layouts, UnknownFields,
    },
};
use evermesh_upgrader::release::{self, Digest, Store};
use serde::{Deserialize as _, Serialize};

use super::loss::{Loss, losses};
use crate::output::columns;

/// The maps that are pinned beside those of a release. Field names stay.
#[derive(Debug, Serialize)]
pub struct LayoutsView {
    /// The release says its layouts. One that is older does not; its agent refuses what it does not know.
    said: bool,
    tables: Vec<TableView>,
}

#[derive(Debug, Serialize)]
struct TableView {
    table: Table,
    #[serde(flatten)]
    comparison: Comparison,
    /// What stands in it cannot be carried over; absent: it can, or that is not known, or it is never lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Loss>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    /// Both are known.
    Known { carried: Carried, difference: Difference },
    /// One is not, for this reason.
    Unknown { unknown: String },
}

impl LayoutsView {
    /// Asks the agent of a release and the kernel. The `committed` release may step down for it, and what stands in maps of
    /// `accept_loss` may be lost.
    pub fn of(
        pins: &PinDir,
        agent: &Path,
        committed: Option<&Layouts>,
        accept_loss: &[Table],
    ) -> Result<Self, InventoryError> {
        let said = release::Layouts::ask(agent).and_then(|said| understood(&said));
        let Some(said) = said else { return Ok(Self { said: false, tables: Vec::new() }) };
        let inventory = Inventory::read(pins)?;
        let tables = pinned(&inventory).into_iter();
        let view = |(table, pinned): (Table, Result<Description, UnknownFields>)| TableView {
            table,
            comparison: Comparison::of(table, pinned, &said, committed),
            loss: None,
        };
        let mut tables: Vec<_> = tables.map(view).collect();
        let carried = |table: Table| tables.iter().find(|view| view.table == table)?.comparison.carried();
        let mut losses = losses(carried, accept_loss, &inventory);
        tables.iter_mut().for_each(|view| view.loss = losses.remove(&view.table));
        Ok(Self { said: true, tables })
    }

    /// What keeps the release from taking over, table by table, and what would have to be declared for it.
    pub fn refused(&self) -> Vec<String> {
        let undeclared = self.losses().any(|(_, loss)| !loss.declared);
        let reason = |view: &TableView| match (&view.comparison, &view.loss) {
            (_, Some(_)) if !undeclared => None,
            (Comparison::Known { carried: Carried::Refused { reason }, .. }, _) => {
                let never = view.table.loss().err().map(|why| format!("; it is never lost: {why}"));
                let never = never.unwrap_or_default();
                Some(format!("{} cannot be carried over: {reason}{never}", view.table))
            }
            _ => None,
        };
        let refused = self.tables.iter().filter_map(reason);
        let tables: Vec<_> = self.losses().map(|(table, _)| table).collect();
        let declare = || {
            format!(
                "to go on without what stands there, declare its loss: --accept-loss {}",
                Table::names(&tables)
            )
        };
        refused.chain(undeclared.then(declare)).collect()
    }

    fn losses(&self) -> impl Iterator<Item = (Table, &Loss)> {
        self.tables.iter().filter_map(|view| Some((view.table, view.loss.as_ref()?)))
    }
}

/// What the committed release says, as it was staged or is asked.
pub fn of_committed(store: &Store, committed: &Digest) -> Option<Layouts> {
    release::Layouts::of(store, committed).and_then(|said| understood(&said))
}

fn understood(said: &release::Layouts) -> Option<Layouts> {
    Layouts::deserialize(said.value()).ok()
}

/// The tables of the live generation, and the maps that all generations share.
fn pinned(inventory: &Inventory) -> Vec<(Table, Result<Description, UnknownFields>)> {
    let mut kernel = Kernel::default();
    let mut tables = Vec::new();
    if let Some(live) = inventory.live.and_then(|live| inventory.generations.get(&live)) {
        let described = |(&table, pin)| (table, kernel.describe_table(live, table, pin));
        tables.extend(live.tables.iter().map(described));
    }
    let frozen = |(&table, pin): (&Table, &MapPin)| (table, kernel.describe_frozen(&pin.info));
    tables.extend(inventory.frozen.iter().map(frozen));
    tables
}

impl Comparison {
    fn carried(&self) -> Option<&Carried> {
        match self {
            Self::Known { carried, .. } => Some(carried),
            Self::Unknown { .. } => None,
        }
    }

    fn of(
        table: Table,
        pinned: Result<Description, UnknownFields>,
        said: &Layouts,
        committed: Option<&Layouts>,
    ) -> Self {
        let unknown = |unknown: String| Self::Unknown { unknown };
        match (pinned, said.current.get(table.name())) {
            (Err(error), _) => unknown(error.to_string()),
            (_, None) => unknown("the release has no such map".into()),
            (Ok(pinned), Some(theirs)) => {
                let difference = Difference::between(&pinned, theirs, &table.declared_with([said]));
                Self::Known { carried: Carried::to_candidate(table, &pinned, said, committed), difference }
            }
        }
    }
}

impl fmt::Display for LayoutsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.said, self.tables.is_empty()) {
            (false, _) => {
                writeln!(f, "The release does not say its layouts; its agent refuses what it does not know.")
            }
            (true, true) => writeln!(f, "Nothing is pinned here: every map is made anew."),
            (true, false) => {
                let rows = self.tables.iter().flat_map(TableView::rows);
                writeln!(f, "{}", columns(["TABLE", "CARRIED", "FIELD", "NOW", "THEN", "CHANGE"], rows))?;
                self.losses().try_for_each(|(table, loss)| writeln!(f, "{}", loss.in_words(table)))
            }
        }
    }
}

impl TableView {
    /// One for the table, and one for each field that differs.
    fn rows(&self) -> Vec<[String; 6]> {
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        match &self.comparison {
            Comparison::Unknown { unknown } => {
                vec![row([self.table.name(), "not known", "", "", "", unknown])]
            }
            Comparison::Known { carried, difference } => {
                let mut changes: Vec<_> = difference.map.iter().map(ToString::to_string).collect();
                if difference.is_none() {
                    changes.push("same fields".into());
                }
                let lost = self.loss.as_ref().filter(|loss| loss.declared);
                let carried = lost.map_or_else(|| in_words(carried), Loss::in_short);
                let mut rows = vec![row([self.table.name(), &carried, "", "", "", &changes.join(", ")])];
                let differs = |field: &&FieldDifference| !field.changes.is_empty();
                rows.extend(difference.key.iter().filter(differs).map(|field| of_field("key ", field)));
                rows.extend(difference.value.iter().filter(differs).map(|field| of_field("", field)));
                rows
            }
        }
    }
}

fn of_field(part: &str, field: &FieldDifference) -> [String; 6] {
    let place =
        |field: &Option<Field>| field.as_ref().map(|it| format!("{it} at {}", it.offset)).unwrap_or_default();
    let name = |field: &Option<Field>| field.as_ref().map(|it| it.name.clone());
    let names = match (name(&field.before), name(&field.after)) {
        (Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
        (before, after) => after.or(before).unwrap_or_default(),
    };
    let names = if names.is_empty() { "(word)".to_owned() } else { names };
    let changes: Vec<_> = field.changes.iter().map(word).collect();
    [
        String::new(),
        String::new(),
        format!("{part}{names}"),
        place(&field.before),
        place(&field.after),
        changes.join(", "),
    ]
}

fn word(change: &Change) -> &'static str {
    match change {
        Change::Added => "added, zero",
        Change::Removed => "removed",
        Change::Renamed => "renamed",
        Change::Moved => "moved",
        Change::Widened => "widened",
        Change::Narrowed => "narrowed",
        Change::Incompatible => "another kind",
    }
}

fn in_words(carried: &Carried) -> String {
    match carried {
        Carried::Shared => "shared".into(),
        Carried::Rebuilt => "made anew, ids stay".into(),
        Carried::RebuiltWithoutIds { reason } => format!("made anew, ids too: {reason}"),
        Carried::CountedAnew => "counts from zero".into(),
        Carried::Migrated => "migrated".into(),
        Carried::SteppedDown => "stepped down".into(),
        Carried::Refused { .. } => "REFUSED".into(),
    }
}

#[cfg(test)]
mod tests {
    use evermesh_pins::layout::FieldKind;

    use super::*;

    /// What stands here, and a release in which fields of four tables are others.
    fn view() -> LayoutsView {
        let mut then = Layouts::default();
        for table in Table::ALL {
            let mut description = table.description();
            let end = description.value.size;
            let field = Field { name: "zone".into(), offset: end, size: 8, kind: FieldKind::Unsigned };
            if [Table::Endpoints, Table::Enrolled, Table::UdpOrigins, Table::Control].contains(&table) {
                description.value.fields.push(field);
                description.value.size += 8;
            }
            if table == Table::Endpoints {
                description.value.fields.retain(|field| field.name != "port");
            }
            then.current.insert(table.name().into(), description);
        }
        then.current.remove("slots");
        then.before.insert(Table::UdpOrigins.name().into(), Table::UdpOrigins.description());
        let comparison = |table: Table| Comparison::of(table, Ok(table.description()), &then, None);
        let tables = Table::ALL.map(|table| TableView { table, comparison: comparison(table), loss: None });
        LayoutsView { said: true, tables: tables.into() }
    }

    #[test]
    fn what_differs_stands_below_its_table() {
        insta::assert_snapshot!(view());
    }

    #[test]
    fn what_cannot_be_carried_over_is_a_reason() {
        insta::assert_snapshot!(view().refused().join("\n"));
    }

    #[test]
    fn an_older_release_and_a_bare_node_are_told_apart() {
        let view = |said| LayoutsView { said, tables: Vec::new() }.to_string();
        insta::assert_snapshot!(view(false) + &view(true));
    }

    #[test]
    fn every_word_can_be_read_by_scripts() {
        let json = serde_json::to_value(view()).unwrap();
        let table = |name: &str| {
            json["tables"].as_array().unwrap().iter().find(|it| it["table"] == name).unwrap()["known"].clone()
        };
        assert_eq!(table("services")["carried"], "rebuilt");
        assert_eq!(table("udp_origins")["carried"], "migrated");
        assert_eq!(table("enrolled")["carried"], "migrated");
        assert!(table("control")["carried"]["refused"]["reason"].is_string());
        assert_eq!(table("endpoints")["difference"]["value"][4]["changes"][0], "added");
    }
}
