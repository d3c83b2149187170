use std::{io, os::fd::BorrowedFd};

use aya_obj::generated::{BPF_F_QUERY_EFFECTIVE, bpf_cmd};

use super::{attributes, bpf, raw};

/// Whether more programs may be attached where some are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachFlags(pub u32);

/// The programs that run at a hook of `cgroup`: its own and those of the cgroups above it, in the order in which
/// they run (kernel 4.15).
pub fn programs_effective(cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<Vec<u32>> {
    query(cgroup, attach_type, BPF_F_QUERY_EFFECTIVE).map(|(ids, _)| ids)
}

/// The programs attached to `cgroup` itself, and the `BPF_F_ALLOW_*` flags they were attached with.
pub fn programs_attached(cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<(Vec<u32>, AttachFlags)> {
    query(cgroup, attach_type, 0)
}

fn query(cgroup: BorrowedFd<'_>, attach_type: u32, flags: u32) -> io::Result<(Vec<u32>, AttachFlags)> {
    let mut room = 64;
    loop {
        match query_into(cgroup, attach_type, flags, vec![0; room]) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => room *= 2,
            answer => return answer,
        }
    }
}

fn query_into(
    cgroup: BorrowedFd<'_>,
    attach_type: u32,
    flags: u32,
    mut ids: Vec<u32>,
) -> io::Result<(Vec<u32>, AttachFlags)> {
    let mut attr = attributes();
    attr.query.__bindgen_anon_1.target_fd = raw(cgroup);
    attr.query.attach_type = attach_type;
    attr.query.query_flags = flags;
    attr.query.prog_ids = ids.as_mut_ptr() as u64;
    attr.query.__bindgen_anon_2.prog_cnt = u32::try_from(ids.len()).map_err(io::Error::other)?;
    // SAFETY: `ids` is writable for `prog_cnt` elements; the kernel writes no more.
    unsafe { bpf(bpf_cmd::BPF_PROG_QUERY, &mut attr)? };
    // SAFETY: the kernel has written how many there are, and the flags.
    let (count, flags) = unsafe { (attr.query.__bindgen_anon_2.prog_cnt, attr.query.attach_flags) };
    ids.truncate(count as usize);
    Ok((ids, AttachFlags(flags)))
}
