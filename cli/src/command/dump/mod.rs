//! What stands in the kernel's tables, with the names that the configuration applied last gives to it.

mod endpoints;
mod services;
mod workloads;

#[cfg(test)]
mod samples;

use evermesh_abi::{Address, PROTOCOL_TCP, PROTOCOL_UDP};
use evermesh_pins::host;

use crate::{
    Exit, Failure,
    args::{Directories, Dump},
    live::Tables,
    names::Names,
    output::Output,
    record,
};

/// Shows one kind of what is in the tables. Needs no process of Evermesh.
pub fn dump(directories: &Directories, output: Output, what: Dump) -> Result<Exit, Failure> {
    host::require_root()?;
    let tables = Tables::read(&directories.pins())?;
    let record = record::read(&directories.state_dir)?;
    let names = record.map(|record| Names::of(&record.snapshot)).unwrap_or_default();
    match what {
        Dump::Services => output.show(&services::Services::of(&tables, &names))?,
        Dump::Endpoints => output.show(&endpoints::Endpoints::of(&tables, &names))?,
        Dump::Workloads => output.show(&workloads::Workloads::of(&tables, &names))?,
    }
    Ok(Exit::Ok)
}

/// `address:port`, `port` being in network byte order as the tables have it.
fn socket_address(address: Address, port: u16) -> std::net::SocketAddr {
    (std::net::IpAddr::from(address), u16::from_be(port)).into()
}

fn protocol(number: u8) -> String {
    match number {
        PROTOCOL_TCP => "TCP".into(),
        PROTOCOL_UDP => "UDP".into(),
        other => other.to_string(),
    }
}
