use aya_ebpf::programs::SockAddrContext;
use evermesh_abi::{Address, FrontendKey};

/// An address and a port (network byte order), the form that all tables share.
#[derive(Clone, Copy)]
pub struct Destination {
    pub address: Address,
    pub port: u16,
}

impl Destination {
    #[inline(always)]
    pub fn is(&self, address: &Address, port: u16) -> bool {
        let (a, b) = (&self.address.0, &address.0);
        self.port == port && a[3] == b[3] && a[0] == b[0] && a[1] == b[1] && a[2] == b[2]
    }

    #[inline(always)]
    pub fn frontend(&self, protocol: u8) -> FrontendKey {
        FrontendKey::new(self.address, self.port, protocol)
    }
}

/// In which fields of the context a hook finds the address.
pub trait Family {
    fn read(ctx: &SockAddrContext) -> Destination;
    fn write(ctx: &SockAddrContext, to: &Destination);
}

/// The hooks whose names end in 4.
pub struct V4;
/// The hooks whose names end in 6; v4-mapped destinations come here too.
pub struct V6;

impl Family for V4 {
    #[inline(always)]
    fn read(ctx: &SockAddrContext) -> Destination {
        // SAFETY: the context of this program run.
        let sa = unsafe { &*ctx.sock_addr };
        Destination { address: Address::from_ipv4(sa.user_ip4), port: sa.user_port as u16 }
    }

    #[inline(always)]
    fn write(ctx: &SockAddrContext, to: &Destination) {
        // SAFETY: the context of this program run; both fields are writable in these hooks.
        unsafe {
            (*ctx.sock_addr).user_ip4 = to.address.ipv4();
            (*ctx.sock_addr).user_port = to.port as u32;
        }
    }
}

impl Family for V6 {
    #[inline(always)]
    fn read(ctx: &SockAddrContext) -> Destination {
        // SAFETY: the context of this program run.
        let sa = unsafe { &*ctx.sock_addr };
        let ip = &sa.user_ip6;
        Destination { address: Address([ip[0], ip[1], ip[2], ip[3]]), port: sa.user_port as u16 }
    }

    #[inline(always)]
    fn write(ctx: &SockAddrContext, to: &Destination) {
        // SAFETY: the context of this program run; all fields are writable in these hooks.
        unsafe {
            (*ctx.sock_addr).user_ip6[0] = to.address.0[0];
            (*ctx.sock_addr).user_ip6[1] = to.address.0[1];
            (*ctx.sock_addr).user_ip6[2] = to.address.0[2];
            (*ctx.sock_addr).user_ip6[3] = to.address.0[3];
            (*ctx.sock_addr).user_port = to.port as u32;
        }
    }
}
