//! What the agent tells whoever started it, by the systemd notify protocol. Started by hand, it tells nobody.

use std::{env, path::Path, time::Duration};

use sd_notify::NotifyState;
use tracing::warn;

/// It has started, and how it is.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// How it is, for people.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// It ends, and why: a line, since that is all that the protocol has.
pub fn failed(error: &impl std::error::Error) {
    status(&error.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; "));
}

/// It does not hang.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// It is about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Whether whoever started it is told there.
pub fn is_told_at(socket: &Path) -> bool {
    env::var_os("NOTIFY_SOCKET").is_some_and(|told| Path::new(&told) == socket)
}

/// How often it should say that it does not hang: three times in the silence it may keep.
pub fn alive_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|silence| silence / 3)
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the supervisor cannot be told how the agent is");
    }
}
