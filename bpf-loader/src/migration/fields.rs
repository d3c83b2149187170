use evermesh_pins::layout::{Copies, Declared, Description, Translation, Untranslatable};

use super::Translate;

/// Entries of one layout become entries of another: fields are copied to where they stand there, by their names. What is of one
/// layout stays as it is, with what later releases keep in the reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    forth: Translation,
    /// To the key from which one of the secondary was made.
    key_back: Copies,
}

impl Fields {
    /// The same to the layout of an earlier release, which may have less room for a number: what does not fit is cut off, as
    /// the bridge does it.
    pub fn down(
        primary: &Description,
        secondary: &Description,
        declared: &Declared,
    ) -> Result<Self, Untranslatable> {
        Self::with(Translation::narrowing(primary, secondary, declared)?, primary, secondary, declared)
    }

    /// From the primary's layout to the secondary's.
    pub fn between(
        primary: &Description,
        secondary: &Description,
        declared: &Declared,
    ) -> Result<Self, Untranslatable> {
        Self::with(Translation::between(primary, secondary, declared)?, primary, secondary, declared)
    }

    fn with(
        forth: Translation,
        primary: &Description,
        secondary: &Description,
        declared: &Declared,
    ) -> Result<Self, Untranslatable> {
        // Of the way back only keys are used: what they have more than those of the primary is zero.
        let merged = Declared { merged: true, ..declared.clone() };
        Ok(Self { forth, key_back: Translation::narrowing(secondary, primary, &merged)?.key })
    }
}

impl Translate for Fields {
    fn key(&self, primary: &[u8], secondary: &mut [u8]) {
        copy(&self.forth.key, primary, secondary);
    }

    fn key_back(&self, secondary: &[u8], primary: &mut [u8]) {
        copy(&self.key_back, secondary, primary);
    }

    fn value(&self, primary: &[u8], secondary: &mut [u8]) {
        copy(&self.forth.value, primary, secondary);
    }
}

fn copy(copies: &Copies, from: &[u8], to: &mut [u8]) {
    if copies.is_identity() && from.len() == to.len() {
        to.copy_from_slice(from);
    } else {
        let fits = copies.apply(from, to);
        debug_assert!(fits, "a buffer is not of its map's size");
    }
}

#[cfg(test)]
mod tests {
    use evermesh_pins::{
        Table,
        layout::{Field, FieldKind},
    };

    use super::*;

    /// `origins` with a number that got more room, a new field before it, and `udp_origins` with the fields of its key in
    /// another order.
    fn later(table: Table) -> Description {
        let mut later = table.description();
        let moved = |fields: &mut Vec<Field>, name: &str, offset, size| {
            let field = fields.iter_mut().find(|field| field.name == name).unwrap();
            (field.offset, field.size) = (offset, size);
        };
        if table == Table::Origins {
            moved(&mut later.value.fields, "service", 64, 8);
            later.value.fields.push(Field {
                name: "added".into(),
                offset: 40,
                size: 4,
                kind: FieldKind::Unsigned,
            });
        } else {
            moved(&mut later.key.fields, "kind", 0, 1);
            moved(&mut later.key.fields, "port", 6, 2);
            moved(&mut later.key.fields, "socket", 24, 8);
        }
        later
    }

    fn way(table: Table) -> Fields {
        Fields::between(&table.description(), &later(table), &Declared::default()).unwrap()
    }

    #[test]
    fn a_value_comes_to_where_its_fields_stand() {
        let (mut from, mut to) = ([0; 96], [0xff; 96]);
        from[40..44].copy_from_slice(&7u32.to_le_bytes());
        from[48..56].copy_from_slice(&9u64.to_le_bytes());
        way(Table::Origins).value(&from, &mut to);
        let word = |at: usize| u64::from_le_bytes(to[at..at + 8].try_into().unwrap());
        assert_eq!((word(40), word(48), word(64)), (0, 9, 7));
    }

    #[test]
    fn a_key_comes_back_to_what_it_was() {
        let mut from = [0; 32];
        from[..8].copy_from_slice(&1234u64.to_le_bytes());
        (from[22], from[26]) = (80, 3);
        let (mut to, mut back) = ([0xff; 32], [0xff; 32]);
        let way = way(Table::UdpOrigins);
        way.key(&from, &mut to);
        assert_eq!((to[0], u64::from_le_bytes(to[24..].try_into().unwrap())), (3, 1234));
        way.key_back(&to, &mut back);
        assert_eq!(back, from);
    }

    #[test]
    fn what_is_of_one_layout_keeps_what_is_in_its_reserve() {
        let own = Table::Origins.description();
        let same = Fields::between(&own, &own, &Declared::default()).unwrap();
        let (from, mut to) = ([0xab; 96], [0; 96]);
        same.value(&from, &mut to);
        assert_eq!(to, from);
    }

    #[test]
    fn a_field_that_does_not_fit_is_told_on_the_way_up_and_cut_off_on_the_way_down() {
        let (later, own) = (later(Table::Origins), Table::Origins.description());
        let error = Fields::between(&later, &own, &Declared::default()).unwrap_err();
        assert_eq!(error.to_string(), "field service: narrowed from 8 to 4 bytes");
        let (mut from, mut to) = ([0; 96], [0xff; 96]);
        (from[64], from[70]) = (7, 1);
        Fields::down(&later, &own, &Declared::default()).unwrap().value(&from, &mut to);
        assert_eq!(to[40..44], 7u32.to_le_bytes());
    }
}
