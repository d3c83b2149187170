//! Every bpf(2) call and every mapping of a map: the one place for unsafe code in this crate.
#![expect(unsafe_code, reason = "bpf(2), mmap(2) and setns(2) have no safe form for what is needed here")]

mod array;
mod attached;
mod btf;
mod link;
mod map;
mod mapping;
mod memory;
mod namespace;
mod object;
mod program;
mod raw_map;
mod trial;
mod wait;

use std::io;

use aya_obj::generated::{bpf_attr, bpf_cmd};

pub use array::{WordArray, array_create};
pub use attached::{AttachFlags, programs_attached, programs_effective};
pub use btf::btf_by_id;
pub use link::{LinkInfo, link_create, link_detach, link_info, link_update};
pub use map::{
    MapInfo, MapTypes, map_create, map_delete, map_freeze, map_info, map_lookup, map_pairs, map_update,
    map_update_all, possible_cpus,
};
pub use mapping::{Element, ReadMapping, WriteMapping};
pub use memory::with_huge_pages;
pub use namespace::{NamespaceCookie, PodNetwork, inside};
pub use object::{Object, object_get, object_pin};
pub use program::{ProgramInfo, program_by_id, program_info};
pub use raw_map::RawMap;
pub use trial::{map_trial, program_trial};
pub use wait::wait_for_programs;

/// Types that a map may hold: every bit pattern is a value, and there is no padding.
///
/// # Safety
/// Implementors are `repr(C)` or `repr(transparent)` without padding, and valid for every bit pattern.
pub unsafe trait Plain: Copy + 'static {}

// SAFETY: integers, and structures of evermesh_abi, which state their padding and assert their sizes.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::FrontendKey {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::ServiceMeta {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::Endpoint {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::Enrolled {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::Origin {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::UdpOriginKey {}
// SAFETY: as above.
unsafe impl Plain for evermesh_abi::UdpOrigin {}

/// An all-zero value.
pub(crate) fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` types are valid for every bit pattern.
    unsafe { std::mem::zeroed() }
}

/// The bytes of a value.
pub fn bytes<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: `Plain` types have no padding, so every byte is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The value of these bytes; an error if it has another size.
pub(crate) fn from_bytes<T: Plain>(bytes: &[u8]) -> io::Result<T> {
    let mut value = zeroed();
    let room = bytes_mut(&mut value);
    if room.len() != bytes.len() {
        let (own, found) = (room.len(), bytes.len());
        return Err(io::Error::other(format!("elements of {found} bytes were read as such of {own}")));
    }
    room.copy_from_slice(bytes);
    Ok(value)
}

/// The bytes of a value, to be written.
pub(crate) fn bytes_mut<T: Plain>(value: &mut T) -> &mut [u8] {
    // SAFETY: as above, and whatever is written is a value.
    unsafe { std::slice::from_raw_parts_mut(std::ptr::from_mut(value).cast(), size_of::<T>()) }
}

/// The bytes of words.
fn words_as_bytes(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: integers have no padding, and every pattern of bytes is one.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}

/// Whether there is what was asked for.
fn found(answer: io::Result<i64>) -> io::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

fn attributes() -> bpf_attr {
    // SAFETY: a union of plain structures; all zero means "nothing asked for".
    unsafe { std::mem::zeroed() }
}

/// `bpf(2)`.
///
/// # Safety
/// Every pointer in `attr` that `cmd` reads or writes must be valid for it.
unsafe fn bpf(cmd: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: `attr` lives through the call; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, cmd as u32, &raw mut *attr, size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `bpf(2)` where the answer is a new file descriptor.
///
/// # Safety
/// As for [`bpf`].
unsafe fn bpf_fd(cmd: bpf_cmd, attr: &mut bpf_attr) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(cmd, attr)? };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
}

/// A descriptor as the u32 that `bpf_attr` wants.
fn raw(fd: std::os::fd::BorrowedFd<'_>) -> u32 {
    use std::os::fd::AsRawFd;
    fd.as_raw_fd().cast_unsigned()
}

/// `BPF_OBJ_GET_INFO_BY_FD` into a structure that the caller prepared.
///
/// # Safety
/// `T` is the info structure of the object behind `fd`, and pointers in it are valid.
unsafe fn info_by_fd<T>(fd: std::os::fd::BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attr = attributes();
    attr.info.bpf_fd = raw(fd);
    attr.info.info_len = u32::try_from(size_of::<T>()).map_err(io::Error::other)?;
    attr.info.info = std::ptr::from_mut(info) as u64;
    // SAFETY: `info` is writable for `info_len` bytes; the kernel writes no more.
    unsafe { bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }.map(drop)
}
