//! Other releases and their layouts, written down by hand: what a migration must have made of the former ones.

use evermesh_chaos_tests::binaries;
use evermesh_loader::{
    Object,
    migration::{Fields, Translate},
};
use evermesh_pins::{
    Table,
    layout::{Declared, Description},
};

/// (where it stood, where it stands, bytes)
type Places = &'static [(usize, usize, usize)];

/// A release, and where its layouts have the fields of today's.
pub struct Release {
    pub object: Object,
    origins: Moves,
    udp_origins: Moves,
}

#[derive(Clone, Copy)]
pub struct Moves {
    key: Places,
    value: Places,
    is_back: bool,
}

const SAME_ORIGIN: Moves = Moves { key: &[(0, 0, 8)], value: &[(0, 0, 96)], is_back: false };
const SAME_PAIR: Moves = Moves { key: &[(0, 0, 32)], value: &[(0, 0, 96)], is_back: false };

impl Release {
    /// This one: its layouts are those of before.
    pub fn this() -> Self {
        Self { object: Object::default(), origins: SAME_ORIGIN, udp_origins: SAME_PAIR }
    }

    /// A variant with today's layouts.
    pub fn variant(name: &str) -> Self {
        Self { object: Object::read(&binaries::variant(name).unwrap()).unwrap(), ..Self::this() }
    }

    /// The variant whose origins have their fields in another order, one of them wider, and a new one between them.
    pub fn wider() -> Self {
        let origin: Places = &[
            (0, 60, 2),
            (2, 62, 2),
            (4, 16, 2),
            (6, 18, 2),
            (8, 0, 16),
            (24, 24, 16),
            (40, 40, 4),
            (44, 56, 4),
            (48, 48, 8),
        ];
        let key: Places = &[(0, 24, 8), (8, 8, 16), (24, 6, 2), (26, 0, 1)];
        Self {
            origins: Moves { value: origin, ..SAME_ORIGIN },
            udp_origins: Moves { key, ..SAME_PAIR },
            ..Self::variant("wider")
        }
    }

    /// How a sweep leads from the layouts of before to its own, by what the objects say of their maps.
    pub fn up(&self, table: Table) -> Fields {
        let [before, own] = self.layouts(table);
        Fields::between(&before, &own, &Declared::default()).unwrap()
    }

    /// From its own to those of before.
    pub fn down(&self, table: Table) -> Fields {
        let [before, own] = self.layouts(table);
        Fields::down(&own, &before, &Declared::default()).unwrap()
    }

    fn layouts(&self, table: Table) -> [Description; 2] {
        let mut layouts = [self.object.layouts_before().unwrap(), self.object.layouts().unwrap()];
        layouts.each_mut().map(|layouts| layouts.remove(&table).unwrap())
    }

    /// The same from its own to those of before, written down by hand.
    pub fn back(&self, table: Table) -> Moves {
        let forth = if table == Table::Origins { self.origins } else { self.udp_origins };
        Moves { is_back: true, ..forth }
    }
}

/// A sweep that takes bytes over as they are.
pub struct AsTheyAre;

impl Translate for AsTheyAre {
    fn key(&self, primary: &[u8], secondary: &mut [u8]) {
        secondary.copy_from_slice(primary);
    }

    fn key_back(&self, secondary: &[u8], primary: &mut [u8]) {
        primary.copy_from_slice(secondary);
    }

    fn value(&self, primary: &[u8], secondary: &mut [u8]) {
        secondary.copy_from_slice(primary);
    }
}

impl Moves {
    pub fn key(&self, from: &[u8], to: &mut [u8]) {
        Self::perform(self.key, self.is_back, from, to);
    }

    pub fn value(&self, from: &[u8], to: &mut [u8]) {
        Self::perform(self.value, self.is_back, from, to);
    }

    fn perform(fields: Places, is_back: bool, from: &[u8], to: &mut [u8]) {
        for &(old, new, size) in fields {
            let (source, target) = if is_back { (new, old) } else { (old, new) };
            to[target..target + size].copy_from_slice(&from[source..source + size]);
        }
    }
}
