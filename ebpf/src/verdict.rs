use aya_ebpf::helpers::generated::bpf_set_retval;

/// What becomes of the system call.
#[derive(Clone, Copy)]
pub enum Verdict {
    /// It goes on, with the destination as it now stands.
    Proceed,
    /// It fails at once with this errno.
    Fail(i32),
}

/// Nobody serves this: what a host without a listener answers.
pub const ECONNREFUSED: i32 = 111;
/// A flow could not be remembered.
pub const ENOBUFS: i32 = 105;

impl Verdict {
    /// Returning 0 alone would mean EPERM; `bpf_set_retval` (kernel 5.18) names another error.
    #[inline(always)]
    pub fn into_return_code(self) -> i32 {
        match self {
            Self::Proceed => 1,
            Self::Fail(errno) => {
                // SAFETY: a helper without pointers.
                unsafe { bpf_set_retval(-errno) };
                0
            }
        }
    }
}
