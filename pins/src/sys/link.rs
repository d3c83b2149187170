use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_obj::generated::{BPF_F_REPLACE, bpf_cmd, bpf_link_info, bpf_link_type};

use super::{attributes, bpf, bpf_fd, info_by_fd, raw};

/// What the kernel tells about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// The kernel's id, unique until reboot.
    pub id: u32,
    /// The program it attaches.
    pub program_id: u32,
    /// Whether it attaches to a cgroup at all.
    pub is_cgroup: bool,
    /// The cgroup; 0 when that was removed, and then nothing is hooked.
    pub cgroup_id: u64,
    /// `enum bpf_attach_type`.
    pub attach_type: u32,
}

/// `BPF_OBJ_GET_INFO_BY_FD` for a link.
pub fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    // SAFETY: a structure of integers.
    let mut info: bpf_link_info = unsafe { std::mem::zeroed() };
    // SAFETY: the structure for links; no name is asked for, so no pointer is followed.
    unsafe { info_by_fd(link, &mut info)? };
    let is_cgroup = info.type_ == bpf_link_type::BPF_LINK_TYPE_CGROUP as u32;
    // SAFETY: for a cgroup link this member was written; for others the bytes are still initialised integers.
    let cgroup = unsafe { info.__bindgen_anon_1.cgroup };
    Ok(LinkInfo {
        id: info.id,
        program_id: info.prog_id,
        is_cgroup,
        cgroup_id: if is_cgroup { cgroup.cgroup_id } else { 0 },
        attach_type: cgroup.attach_type,
    })
}

/// Attaches `program` to `cgroup` (kernel 5.7). Other programs at the same hook stay.
pub fn link_create(program: BorrowedFd<'_>, cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<OwnedFd> {
    let mut attr = attributes();
    attr.link_create.__bindgen_anon_1.prog_fd = raw(program);
    attr.link_create.__bindgen_anon_2.target_fd = raw(cgroup);
    attr.link_create.attach_type = attach_type;
    // SAFETY: no pointers.
    unsafe { bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr) }
}

/// Replaces the program behind `link` by compare-and-swap: fails with `EPERM` where `old` is not what it
/// attaches now. The kernel does not check that the new program fits the attach type.
pub fn link_update(link: BorrowedFd<'_>, new: BorrowedFd<'_>, old: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = attributes();
    attr.link_update.link_fd = raw(link);
    attr.link_update.__bindgen_anon_1.new_prog_fd = raw(new);
    attr.link_update.__bindgen_anon_2.old_prog_fd = raw(old);
    attr.link_update.flags = BPF_F_REPLACE;
    // SAFETY: no pointers.
    unsafe { bpf(bpf_cmd::BPF_LINK_UPDATE, &mut attr) }.map(drop)
}

/// Detaches at once; removing the last pin would do so later.
pub fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = attributes();
    attr.link_detach.link_fd = raw(link);
    // SAFETY: no pointers.
    unsafe { bpf(bpf_cmd::BPF_LINK_DETACH, &mut attr) }.map(drop)
}
