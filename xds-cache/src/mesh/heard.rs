use std::sync::Arc;

use evermesh_model::Names;
use evermesh_proto::discovery::Resource;

use super::{
    Name,
    known::{Known, Part},
};
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
        // Names of workloads are long, and most are said twice.
        let name = match known.as_deref().map(|known| &known.part) {
            Ok(Part::Workload { workload, .. }) if workload.uid.as_str() == resource.name => {
                workload.uid.clone().into()
            }
            _ => resource.name.as_str().into(),
        };
        Self { name: Name { kind, name }, known }
    }
}
