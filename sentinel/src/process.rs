use std::io::{self, BufRead as _, Write as _};

use nix::{
    sched::{CloneFlags, unshare},
    sys::{prctl, signal::Signal},
};
use serde::{Deserialize, Serialize};

use crate::{Findings, loopback, probe, server::Server};

/// What it says, one JSON object a line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// Its namespace stands.
    Ready,
    /// After some rounds.
    Found(Findings),
    /// It could not do its work.
    Unable(String),
}

/// Is the process: makes its network namespace after the first line of standard input, which says that it is in its
/// cgroup, and then makes as many rounds as each further line says, or up to the first that fails. Ends with its input, and with its parent.
pub fn serve() -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut lines = io::stdin().lock().lines();
    if lines.next().transpose()?.is_none() {
        return Ok(());
    }
    let made = unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| format!("make a network namespace: {errno}"))
        .and_then(|()| loopback::set_up().map_err(|error| format!("set its loopback interface up: {error}")))
        .and_then(|()| Server::all().map_err(|error| format!("listen: {error}")));
    let servers = match made {
        Ok(servers) => servers,
        Err(reason) => return say(&Said::Unable(reason)),
    };
    say(&Said::Ready)?;
    for line in lines {
        let rounds: u32 = line?.parse().map_err(io::Error::other)?;
        let mut findings = Findings::default();
        for _ in 0..rounds {
            probe::round(&servers, &mut findings);
            // What is lost takes its time to be missed.
            if findings.failed > 0 {
                break;
            }
        }
        say(&Said::Found(findings))?;
    }
    Ok(())
}

fn say(what: &Said) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, what)?;
    writeln!(out)?;
    out.flush()
}
