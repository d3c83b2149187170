use std::{io, os::fd::AsFd as _};

use evermesh_abi::Origin;

use crate::{
    MapPin, Table,
    layout::{Kernel, Known, Translation},
    sys::{self, RawMap},
};

/// Every socket's cookie and origin in a map of them. While a release takes over, that may be of the layout of the release before.
pub fn origins(pin: &MapPin) -> io::Result<Vec<(u64, Origin)>> {
    let table = Table::Origins;
    match Kernel::default().known(table, &pin.info).map_err(io::Error::other)? {
        Known::Own => sys::map_pairs(pin.fd.as_fd()),
        Known::Before => {
            let (before, own) = (table.description_before(), table.description());
            let way = Translation::between(&before, &own, &table.declared()).map_err(io::Error::other)?;
            let mut all = Vec::new();
            RawMap::new(pin.fd.as_fd())?.for_each(|socket, origin| {
                all.push((way.key.read(socket)?, way.value.read(origin)?));
                Ok(())
            })?;
            Ok(all)
        }
    }
}
