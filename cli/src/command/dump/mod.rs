//! What stands in the kernel's tables, with the names that the configuration applied last gives to it; where pods' sockets lead;
//! and what is known of the control plane.

mod endpoints;
mod flows;
mod services;
mod workloads;
mod xds;

#[cfg(test)]
mod samples;

use evermesh_abi::{Address, PROTOCOL_TCP, PROTOCOL_UDP};
use evermesh_pins::host;
pub(super) use services::algorithm;

use crate::{
    Exit, Failure,
    args::{Directories, Dump},
    known,
    live::Tables,
    names::Names,
    output::Output,
    record,
};

/// Shows one kind of what is in the tables, or what is known of the control plane. Needs no process of Evermesh.
pub fn dump(directories: &Directories, output: Output, what: &Dump) -> Result<Exit, Failure> {
    host::require_root()?;
    if let Dump::Xds { name, as_run } = what {
        output.show(&xds::Resources::of(known::read(directories, as_run)?, name.as_deref())?)?;
        return Ok(Exit::Ok);
    }
    let tables = Tables::read(&directories.pins())?;
    let snapshot = record::read(&directories.state_dir)?.map(|record| record.snapshot);
    let names = snapshot.as_ref().map(Names::of).unwrap_or_default();
    match what {
        Dump::Services => output.show(&services::Services::of(&tables, &names))?,
        Dump::Endpoints => output.show(&endpoints::Endpoints::of(&tables, &names))?,
        Dump::Workloads => output.show(&workloads::Workloads::of(&tables, &names))?,
        Dump::Flows => {
            let found = evermesh_sockets::flows(&directories.pins())?;
            let addresses = snapshot.map(|snapshot| flows::Addresses::of(&snapshot, &found));
            let addresses = addresses.unwrap_or_default();
            output.show(&flows::Flows::of(&found, &tables, &names, &addresses))?;
        }
        Dump::Xds { .. } => {}
    }
    Ok(Exit::Ok)
}

/// `address:port`, `port` being in network byte order as the tables have it.
fn socket_address(address: Address, port: u16) -> std::net::SocketAddr {
    (std::net::IpAddr::from(address), u16::from_be(port)).into()
}

/// As people write it.
pub(super) fn protocol(number: u8) -> String {
    match number {
        PROTOCOL_TCP => "TCP".into(),
        PROTOCOL_UDP => "UDP".into(),
        other => other.to_string(),
    }
}
