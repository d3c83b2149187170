use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya_obj::generated::{bpf_btf_info, bpf_cmd};

use super::{attributes, bpf_fd, info_by_fd};

/// Types that the kernel keeps (BTF), by their id: the bytes of the section that they were loaded from. Needs `CAP_SYS_ADMIN`.
pub fn btf_by_id(id: u32) -> io::Result<Vec<u8>> {
    let mut attr = attributes();
    attr.__bindgen_anon_6.__bindgen_anon_1.btf_id = id;
    // SAFETY: no pointers.
    let types = unsafe { bpf_fd(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut attr)? };
    let size = read(types.as_fd(), &mut [])?;
    let mut bytes = vec![0; size as usize];
    read(types.as_fd(), &mut bytes)?;
    Ok(bytes)
}

/// Fills `into` as far as it goes and says how long the section is.
fn read(types: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<u32> {
    // SAFETY: a structure of integers.
    let mut info: bpf_btf_info = unsafe { std::mem::zeroed() };
    info.btf = into.as_mut_ptr() as u64;
    info.btf_size = u32::try_from(into.len()).map_err(io::Error::other)?;
    // SAFETY: the structure for types; `btf` is writable for `btf_size` bytes.
    unsafe { info_by_fd(types, &mut info)? };
    Ok(info.btf_size)
}
