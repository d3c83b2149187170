use std::{io, os::fd::BorrowedFd};

use aya_obj::generated::bpf_prog_info;

use super::info_by_fd;

/// What the kernel tells about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The kernel's id, unique until reboot.
    pub id: u32,
    /// Digest of the instructions. Programs that differ only in their maps have equal tags.
    pub tag: u64,
    /// Ids of the maps it uses, ascending.
    pub map_ids: Vec<u32>,
    /// How often it ran; counted while `kernel.bpf_stats_enabled` is set.
    pub run_count: u64,
}

/// `BPF_OBJ_GET_INFO_BY_FD` for a program.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let count = read(program, &mut [])?.nr_map_ids;
    let mut map_ids = vec![0; count as usize];
    let info = read(program, &mut map_ids)?;
    map_ids.sort_unstable();
    Ok(ProgramInfo { id: info.id, tag: u64::from_be_bytes(info.tag), map_ids, run_count: info.run_cnt })
}

fn read(program: BorrowedFd<'_>, map_ids: &mut [u32]) -> io::Result<bpf_prog_info> {
    // SAFETY: a structure of integers.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    info.nr_map_ids = u32::try_from(map_ids.len()).map_err(io::Error::other)?;
    info.map_ids = map_ids.as_mut_ptr() as u64;
    // SAFETY: the structure for programs; `map_ids` is writable for `nr_map_ids` elements.
    unsafe { info_by_fd(program, &mut info)? };
    Ok(info)
}
