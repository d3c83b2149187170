use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use evermesh_abi::{Address, ORIGIN_CONNECTED, ORIGIN_REVISION, Origin};
use evermesh_pins::{Inventory, Table};

use crate::SocketsError;

/// What stands pinned of where sockets were led, by their cookies.
pub fn standing(inventory: &Inventory) -> Result<Vec<(u64, Origin)>, SocketsError> {
    let Some(pin) = inventory.frozen.get(&Table::Origins) else { return Ok(Vec::new()) };
    // Where nobody knows its layout any more, programs write the one that is to take its place.
    let brought = || inventory.generations.values().find_map(|it| it.carried.get(&Table::Origins));
    let found = evermesh_pins::origins(pin);
    let found = found.or_else(|unknown| brought().map_or(Err(unknown), evermesh_pins::origins));
    found.map_err(failed(Table::Origins))
}

/// Of a socket that was connected, in words that this release knows.
pub fn is_connected(origin: &Origin) -> bool {
    origin.revision == ORIGIN_REVISION && origin.flags == ORIGIN_CONNECTED
}

/// The port is in network byte order, as maps have it.
pub fn at(address: Address, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from(address), u16::from_be(port))
}

/// To read that table.
pub fn failed(table: Table) -> impl FnOnce(io::Error) -> SocketsError {
    move |source| SocketsError::Table { table, source }
}
