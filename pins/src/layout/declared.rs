//! What the Rust types say that this release was built with.

use std::mem::offset_of;

use evermesh_abi::{
    Address, Endpoint, Enrolled, FrontendKey, Origin, RENAMED, ServiceMeta, UdpOrigin, UdpOriginKey, before,
};

use super::{Declared, Description, Field, FieldKind, Record};
use crate::{Layout, Table};

type EnrolledBefore = before::Enrolled;
type OriginBefore = before::Origin;
type UdpOriginKeyBefore = before::UdpOriginKey;
type UdpOriginBefore = before::UdpOrigin;

/// A type that can be a field.
trait Shape {
    const KIND: FieldKind;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Shape for $number {
            const KIND: FieldKind = FieldKind::Unsigned;
        }
        impl<const N: usize> Shape for [$number; N] {
            const KIND: FieldKind = FieldKind::Numbers(bytes::<$number>());
        }
    )*};
}

numbers!(u8, u16, u32, u64);

impl Shape for Address {
    const KIND: FieldKind = <[u32; 4]>::KIND;
}

#[expect(clippy::cast_possible_truncation, reason = "sizes of small types")]
const fn bytes<T>() -> u32 {
    size_of::<T>() as u32
}

fn field<T, F: Shape>(name: &str, offset: usize, _of: fn(&T) -> &F) -> Field {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    Field { name: name.to_owned(), offset, size: bytes::<F>(), kind: F::KIND }
}

/// All fields of a structure: one that is left out does not compile.
macro_rules! record {
    ($type:ident { $($field:ident),* $(,)? }) => {{
        let _all = |it: $type| {
            let $type { $($field: _),* } = it;
        };
        let mut fields = vec![$(field(stringify!($field), offset_of!($type, $field), |it: &$type| &it.$field)),*];
        fields.sort_by_key(|field| field.offset);
        Record { size: bytes::<$type>(), fields }
    }};
}

impl Table {
    /// What this release reads and writes, by its Rust types.
    pub fn description(self) -> Description {
        let (key, value) = match self {
            Self::Frontends => (record!(FrontendKey { address, port, protocol, pad }), Record::word(8)),
            Self::ServiceMeta => (Record::word(4), record!(ServiceMeta { flags, port, family, pad, digest })),
            Self::Endpoints => {
                (Record::word(4), record!(Endpoint { address, port, flags, service, workload }))
            }
            Self::Services | Self::Slots | Self::Turns | Self::Counters | Self::Control => {
                (Record::word(4), Record::word(8))
            }
            Self::Enrolled => {
                (Record::word(8), record!(Enrolled { revision, name_len, flags, ipv4, ipv6, name, reserve }))
            }
            Self::Origins => (
                Record::word(8),
                record!(Origin {
                    revision,
                    flags,
                    frontend_port,
                    backend_port,
                    frontend,
                    backend,
                    service,
                    endpoint,
                    udp_origins,
                    reserve,
                }),
            ),
            Self::UdpOrigins => (
                record!(UdpOriginKey { socket, address, port, kind, pad }),
                record!(UdpOrigin {
                    revision,
                    flags,
                    frontend_port,
                    backend_port,
                    frontend,
                    backend,
                    service,
                    endpoint,
                    reserve,
                }),
            ),
        };
        self.described(self.layout(), key, value)
    }

    /// What the release before reads and writes, by the Rust types that this release has of it.
    pub fn description_before(self) -> Description {
        let (key, value) = match self {
            Self::Enrolled => (
                Record::word(8),
                record!(EnrolledBefore { revision, name_len, flags, ipv4, ipv6, name, reserve }),
            ),
            Self::Origins => (
                Record::word(8),
                record!(OriginBefore {
                    revision,
                    flags,
                    frontend_port,
                    backend_port,
                    frontend,
                    backend,
                    service,
                    endpoint,
                    udp_origins,
                    reserve,
                }),
            ),
            Self::UdpOrigins => (
                record!(UdpOriginKeyBefore { socket, address, port, kind, pad }),
                record!(UdpOriginBefore {
                    revision,
                    flags,
                    frontend_port,
                    backend_port,
                    frontend,
                    backend,
                    service,
                    endpoint,
                    reserve,
                }),
            ),
            other => return other.description(),
        };
        self.described(self.layout_before(), key, value)
    }

    fn described(self, layout: Layout, key: Record, value: Record) -> Description {
        let (kind, flags, revision) = (layout.kind, layout.flags, layout.revision);
        Description { kind, flags, max_entries: self.fixed_entries(), revision, key, value }
    }

    /// Which of its fields had another name in another release.
    pub fn declared(self) -> Declared {
        let own = RENAMED.iter().filter(|renamed| renamed.table == self.name());
        let renamed = own.map(|it| (it.before.to_owned(), it.now.to_owned())).collect();
        Declared { renamed, ..Declared::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_fill_the_bytes_that_the_layout_has() {
        let own = Table::ALL.map(|table| (table, table.description(), table.layout()));
        let before = Table::ALL.map(|table| (table, table.description_before(), table.layout_before()));
        for (table, description, layout) in own.into_iter().chain(before) {
            assert_eq!(description.layout(), layout, "{table}");
            for record in [&description.key, &description.value] {
                let end = record.fields.iter().fold(0, |end, field| {
                    assert_eq!(field.offset, end, "{table}: {}", field.name);
                    field.end()
                });
                assert_eq!(end, record.size, "{table}");
            }
        }
    }
}
