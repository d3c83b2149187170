use std::net::IpAddr;

use bytes::Bytes;
use evermesh_model::UnusableAddress;

use super::{InvalidResource, invalid::wrong};

/// An address from its 4 or 16 bytes.
pub(super) fn ip(field: &'static str, bytes: &Bytes) -> Result<IpAddr, InvalidResource> {
    let v4 = || <[u8; 4]>::try_from(bytes.as_ref()).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes.as_ref()).map(IpAddr::from);
    v4().or_else(|_| v6())
        .map_err(|_| wrong(field, format!("an address of {} bytes, not 4 or 16", bytes.len())))
}

/// An address that something can have.
pub(super) fn usable(field: &'static str, bytes: &Bytes) -> Result<IpAddr, InvalidResource> {
    let address = ip(field, bytes)?;
    match UnusableAddress::of(address) {
        None => Ok(address),
        Some(reason) => Err(InvalidResource::Address { field, address, reason }),
    }
}

/// Bits of an address of this family.
pub(super) fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A port: 1 to 65535.
pub(super) fn port(field: &'static str, number: u32) -> Result<u16, InvalidResource> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(wrong(field, format!("{number} is no port: ports are 1 to 65535"))),
    }
}
