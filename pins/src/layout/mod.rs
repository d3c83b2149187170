//! Layouts by their fields: described, compared, and carried over into each other.
//!
//! A [`Description`] is read from a pinned map's types, from an eBPF object, or from the Rust types that this release was
//! built with; the three say the same of the same layout. Two of them have a [`Difference`], field by field, and where
//! nothing is lost by it a [`Translation`] of the entries.

mod btf;
mod candidate;
mod declared;
mod description;
mod difference;
mod known;
mod loss;
mod object;
mod pinned;
mod said;
mod translation;
mod ways;

pub use btf::{BtfError, Types};
pub use description::{Description, Field, FieldKind, Record};
pub use difference::{Carried, Change, Difference, FieldDifference, MapChange};
pub use known::{Known, Unknown};
pub use object::{ObjectError, of_object};
pub use pinned::{Kernel, UnknownFields};
pub use said::{Layouts, Renamed};
pub use translation::{Copies, Declared, Translation, Untranslatable, Why};
pub use ways::Ways;
