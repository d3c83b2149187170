use std::sync::Arc;

use evermesh_model::Names;
use evermesh_proto::discovery::Resource;

use super::{Name, known::Known};
use crate::{Conversion, InvalidResource, Kind};

/// A resource that was looked at by itself: on any thread, before the mesh has to do with it.
#[derive(Debug)]
pub struct Heard {
    pub(super) name: Name,
    pub(super) known: Result<Arc<Known>, InvalidResource>,
}

impl Heard {
    /// What the resource says. Long names that others have said already share their memory.
    pub fn new(conversion: &Conversion, kind: Kind, resource: &Resource, names: &mut Names) -> Self {
        let packed = resource.resource.as_ref().ok_or(InvalidResource::Empty);
        let known = packed.and_then(|packed| {
            let understood = conversion.understand(kind, &resource.name, packed)?;
            Ok(Arc::new(Known::new(&resource.version, packed, understood, names)))
        });
        Self { name: Name { kind, name: resource.name.as_str().into() }, known }
    }
}
