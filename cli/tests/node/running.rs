use std::process::{Child, ExitStatus};

use evermesh_pins::WriterLock;
use nix::sys::signal::Signal;

use crate::sandbox::{PATIENCE, Sandbox, signal, until};

/// A supervisor with a ready agent; killed, with its agent, when dropped.
pub struct Running<'a> {
    pub child: Child,
    pub sandbox: &'a Sandbox,
}

impl Running<'_> {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn agent(&self) -> u32 {
        until(|| self.sandbox.state()?.agent_pid).unwrap()
    }

    /// Ends it as Ctrl-C does.
    pub fn stop(mut self) {
        signal(self.pid(), Signal::SIGINT);
        assert!(self.ended().success());
    }

    /// Ends it as nobody should.
    pub fn kill(mut self) {
        signal(self.pid(), Signal::SIGKILL);
        self.ended();
        self.await_agent();
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn ended(&mut self) -> ExitStatus {
        until(|| self.child.try_wait().unwrap()).expect("the supervisor ends")
    }

    /// It dies with its supervisor, a moment later.
    fn await_agent(&self) {
        let lock = WriterLock::acquire(&self.sandbox.pins(), PATIENCE);
        assert!(lock.is_ok(), "{lock:?}");
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.is_alive() {
            signal(self.pid(), Signal::SIGKILL);
            self.ended();
            self.await_agent();
        }
    }
}
