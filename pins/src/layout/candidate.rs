use std::collections::BTreeMap;

use super::{Carried, Description, Difference, Layouts};
use crate::Table;

impl Carried {
    /// How a map that all releases share comes from what is `pinned` to a candidate, which carries over from the layouts of the
    /// release before it at most; or the committed release steps down for it.
    pub fn to_candidate(
        table: Table,
        pinned: &Description,
        candidate: &Layouts,
        committed: Option<&Layouts>,
    ) -> Self {
        let Some(theirs) = candidate.current.get(table.name()) else {
            return Self::Refused { reason: "the release has no such map".into() };
        };
        let declared = table.declared_with([candidate].into_iter().chain(committed));
        let carried = Self::of(table, pinned, theirs, &declared);
        if !Table::CARRIED.contains(&table) || !matches!(carried, Self::Migrated | Self::Refused { .. }) {
            return carried;
        }
        let has = |said: &BTreeMap<String, Description>, other: &Description| {
            said.get(table.name()).is_some_and(|it| it.is_shared(other, table, &declared))
        };
        if has(&candidate.before, pinned) && carried == Self::Migrated {
            Self::Migrated
        } else if committed.is_some_and(|own| has(&own.current, pinned) && has(&own.before, theirs)) {
            Self::SteppedDown
        } else {
            let differs = Difference::between(pinned, theirs, &declared).first().unwrap_or_default();
            Self::Refused {
                reason: format!(
                    "{differs}; the release knows this layout neither as its own nor as that of the release before it"
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        MapKind,
        layout::{Field, FieldKind},
    };

    const TABLE: Table = Table::Origins;

    /// Of a release so much later.
    fn layout(release: u32) -> Description {
        let mut layout = TABLE.description();
        for number in 0..release {
            let name = format!("added{number}");
            let offset = layout.value.size;
            layout.value.fields.push(Field { name, offset, size: 8, kind: FieldKind::Unsigned });
            layout.value.size += 8;
        }
        layout
    }

    fn said(current: u32, before: u32) -> Layouts {
        let of = |release| [(TABLE.name().to_owned(), layout(release))].into();
        Layouts { current: of(current), before: of(before), ..Layouts::default() }
    }

    fn carried(pinned: u32, candidate: Layouts, committed: Option<Layouts>) -> Carried {
        Carried::to_candidate(TABLE, &layout(pinned), &candidate, committed.as_ref())
    }

    #[test]
    fn the_release_after_carries_over_and_for_the_one_before_the_committed_one_steps_down() {
        assert_eq!(carried(1, said(1, 0), Some(said(1, 0))), Carried::Shared);
        assert_eq!(carried(1, said(2, 1), Some(said(1, 0))), Carried::Migrated);
        assert_eq!(carried(1, said(0, 0), Some(said(1, 0))), Carried::SteppedDown);
        assert_eq!(carried(0, said(0, 0), Some(said(1, 0))), Carried::Shared);
    }

    /// What it says of the release before is not enough: nobody could copy what stands in it.
    #[test]
    fn a_hash_becomes_an_lru_hash_and_never_an_array() {
        let becomes = |kind| {
            let mut said = said(1, 1);
            said.before.get_mut(TABLE.name()).unwrap().kind = MapKind::Hash;
            said.current.get_mut(TABLE.name()).unwrap().kind = kind;
            let pinned = Description { kind: MapKind::Hash, ..layout(1) };
            Carried::to_candidate(TABLE, &pinned, &said, None)
        };
        assert_eq!(becomes(MapKind::LruHash), Carried::Migrated);
        let Carried::Refused { reason } = becomes(MapKind::Array) else { panic!("not refused") };
        assert!(reason.starts_with("Hash map becomes Array map"), "{reason}");
    }

    /// The bytes and the fields are the same, and copying them would say something else.
    #[test]
    fn another_meaning_alone_is_refused_also_by_the_release_after() {
        let raised = Description { revision: 2, ..layout(0) };
        let current = [(TABLE.name().to_owned(), raised.clone())].into();
        let said = Layouts { current, ..said(0, 0) };
        assert_eq!(Carried::to_candidate(TABLE, &raised, &said, None), Carried::Shared);
        let refused = Carried::to_candidate(TABLE, &layout(0), &said, None);
        let Carried::Refused { reason } = refused else { panic!("{refused:?}") };
        assert!(reason.starts_with("another meaning, revision 1 becomes 2"), "{reason}");
    }

    #[test]
    fn what_is_two_releases_away_is_refused_with_the_field() {
        for (candidate, committed) in
            [(said(0, 0), Some(said(2, 1))), (said(0, 0), None), (said(4, 3), Some(said(2, 1)))]
        {
            let Carried::Refused { reason } = carried(2, candidate, committed) else { panic!("not refused") };
            assert!(reason.starts_with("field added"), "{reason}");
        }
    }
}
