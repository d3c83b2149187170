/// A field of a map that has another name in another release, and is the same: what it holds is carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The map, as its pin is called.
    pub table: &'static str,
    /// The field's name in an earlier release, with dots where structures are nested.
    pub before: &'static str,
    /// Its name now.
    pub now: &'static str,
}

/// Every field that was ever renamed. An entry stays as long as a release with the earlier name may be met.
pub const RENAMED: &[Renamed] = &[];
