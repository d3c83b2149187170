//! Things that are made only to see whether this kernel makes them: dropped, they are gone.

use std::{io, os::fd::OwnedFd};

use aya_obj::generated::bpf_cmd;

use super::{attributes, bpf_fd, map_create};
use crate::{Hook, Layout};

/// Makes a map of that layout with one element. `EINVAL`: the kernel does not know the kind or a flag; `EPERM`: this
/// process may not.
pub fn map_trial(layout: &Layout) -> io::Result<OwnedFd> {
    map_create("evermesh_trial", layout, 1)
}

/// Loads a program that does nothing, for the attach point of `hook`, and does not attach it. Errors as for
/// [`map_trial`].
pub fn program_trial(hook: Hook) -> io::Result<OwnedFd> {
    /// `r0 = 1; exit`: go on.
    const PROCEED: [u64; 2] = [0x0000_0001_0000_00b7, 0x0000_0000_0000_0095];
    let mut attr = attributes();
    attr.__bindgen_anon_3.prog_type = hook.program_type();
    attr.__bindgen_anon_3.expected_attach_type = hook.attach_type();
    attr.__bindgen_anon_3.insns = PROCEED.as_ptr() as u64;
    attr.__bindgen_anon_3.insn_cnt = 2;
    attr.__bindgen_anon_3.license = c"Apache-2.0".as_ptr() as u64;
    // SAFETY: instructions and licence live through the call.
    unsafe { bpf_fd(bpf_cmd::BPF_PROG_LOAD, &mut attr) }
}
