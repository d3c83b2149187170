use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_obj::generated::{bpf_cmd, bpf_prog_info};

use super::{attributes, bpf_fd, info_by_fd};

/// What the kernel tells about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The kernel's id, unique until reboot.
    pub id: u32,
    /// The first 15 bytes of its name; empty where it has none.
    pub name: String,
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
    Ok(ProgramInfo {
        id: info.id,
        name: name(&info),
        tag: u64::from_be_bytes(info.tag),
        map_ids,
        run_count: info.run_cnt,
    })
}

/// Opens a program by its id; needs `CAP_SYS_ADMIN`. `ENOENT`: it is gone.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = attributes();
    attr.__bindgen_anon_6.__bindgen_anon_1.prog_id = id;
    // SAFETY: no pointers.
    unsafe { bpf_fd(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attr) }
}

fn name(info: &bpf_prog_info) -> String {
    let bytes: Vec<u8> =
        info.name.iter().map(|byte| byte.cast_unsigned()).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
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
