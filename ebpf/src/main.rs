//! The kernel programs. Each hook is a thin shell: it reads what the application asked for, decides, and
//! rewrites.
//!
//! Forward hooks (connect, sendmsg) ask whether the pod is enrolled. Reverse hooks (recvmsg, getpeername) and
//! the release hook never do, or removing a pod would break its live sockets.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![allow(
    clippy::needless_borrow,
    reason = "what storage hands out is a reference in the current object only"
)]
#![expect(internal_features, reason = "an atomic add whose result is used has no stable form on this target")]

mod count;
mod destination;
mod hooks;
mod lease;
mod maps;
mod origin;
mod pick;
mod pod;
mod resolve;
mod storage;
mod udp_origin;
mod verdict;

use aya_ebpf::{
    macros::{cgroup_sock, cgroup_sock_addr},
    programs::{SockAddrContext, SockContext},
};
use destination::{V4, V6};

#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    hooks::connect::<V4>(&ctx).into_return_code()
}

#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    hooks::connect::<V6>(&ctx).into_return_code()
}

#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    hooks::sendmsg::<V4>(&ctx).into_return_code()
}

#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    hooks::sendmsg::<V6>(&ctx).into_return_code()
}

#[cgroup_sock_addr(recvmsg4)]
pub fn recvmsg4(ctx: SockAddrContext) -> i32 {
    hooks::recvmsg::<V4>(&ctx).into_return_code()
}

#[cgroup_sock_addr(recvmsg6)]
pub fn recvmsg6(ctx: SockAddrContext) -> i32 {
    hooks::recvmsg::<V6>(&ctx).into_return_code()
}

#[cgroup_sock_addr(getpeername4)]
pub fn getpeername4(ctx: SockAddrContext) -> i32 {
    hooks::getpeername::<V4>(&ctx).into_return_code()
}

#[cgroup_sock_addr(getpeername6)]
pub fn getpeername6(ctx: SockAddrContext) -> i32 {
    hooks::getpeername::<V6>(&ctx).into_return_code()
}

#[cgroup_sock(sock_release)]
pub fn sock_release(ctx: SockContext) -> i32 {
    hooks::sock_release(&ctx).into_return_code()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// The helpers used here are open to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual BSD/GPL\0";
