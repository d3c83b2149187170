//! Hostnames that stand for the addresses of workloads: looked up by hickory, again when an answer expires, and never in
//! anybody's way.

mod schedule;
mod servers;

use std::{path::Path, sync::Arc, time::Duration};

use evermesh_model::SmolStr;
use hickory_resolver::{
    ResolveError, TokioResolver,
    proto::{
        ProtoErrorKind,
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use crate::client::Answer;
use schedule::{Family, Lookup, Outcome, Schedule};
use servers::Servers;

/// Where the system says which name servers there are.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How long "there is none" is believed.
const ABSENT: Duration = Duration::from_secs(30);

/// Looks up the hostnames that are asked for as often as their answers say, until nobody asks any more. The file says which
/// name servers are asked; it is read when there is something to ask, and again when it is another one.
pub async fn look_up(
    resolv_conf: &Path,
    mut asked: watch::Receiver<Arc<[SmolStr]>>,
    answers: mpsc::Sender<Answer>,
) {
    let mut schedule = Schedule::default();
    let mut running = JoinSet::new();
    let mut servers = Servers::of(resolv_conf);
    loop {
        for lookup in schedule.start(Instant::now()) {
            let resolver = servers.resolver().clone();
            running.spawn(async move { (look_up_one(&resolver, &lookup).await, lookup) });
        }
        let due = schedule.next();
        let due = async { sleep_until(due.unwrap_or_else(|| Instant::now() + ABSENT)).await };
        tokio::select! {
            changed = asked.changed() => {
                if changed.is_err() {
                    return;
                }
                let wanted = asked.borrow_and_update().clone();
                schedule.want(&wanted, Instant::now());
            }
            Some(done) = running.join_next() => {
                let Ok((outcome, lookup)) = done else { continue };
                // So many may come at once that the other side needs a moment.
                if let Some(answer) = schedule.done(&lookup, outcome, Instant::now())
                    && answers.send(answer).await.is_err()
                {
                    return;
                }
            }
            () = due => {}
        }
    }
}

async fn look_up_one(resolver: &TokioResolver, lookup: &Lookup) -> Outcome {
    let Ok(mut name) = Name::from_utf8(&lookup.hostname) else {
        return Outcome { v4: Family::Absent, v6: Family::Absent, valid: ABSENT };
    };
    // Search domains are not for names that others wrote.
    name.set_fqdn(true);
    let (v4, v6) = tokio::join!(
        family(resolver, name.clone(), RecordType::A, lookup.longest),
        family(resolver, name.clone(), RecordType::AAAA, lookup.longest)
    );
    let valid = [v4.1, v6.1].into_iter().flatten().min().unwrap_or(ABSENT);
    Outcome { v4: v4.0, v6: v6.0, valid }
}

async fn family(
    resolver: &TokioResolver,
    name: Name,
    kind: RecordType,
    longest: Option<Duration>,
) -> (Family, Option<Duration>) {
    let asked = resolver.lookup(name.clone(), kind);
    let answered = match longest {
        Some(longest) => timeout(longest, asked).await,
        None => Ok(asked.await),
    };
    match answered {
        Ok(Ok(found)) => {
            let address = |data: &RData| data.ip_addr().filter(|ip| ip.is_ipv4() == (kind == RecordType::A));
            let valid = found.valid_until().saturating_duration_since(std::time::Instant::now());
            (Family::Found(found.iter().filter_map(address).collect()), Some(valid))
        }
        Ok(Err(error)) if says_no(&error) => (Family::Absent, None),
        Ok(Err(error)) => {
            debug!(%name, %kind, %error, "not looked up");
            (Family::Failed, None)
        }
        Err(_) => {
            debug!(%name, %kind, "no answer so far");
            (Family::Failed, None)
        }
    }
}

/// Whether it is an answer: there is no such name, or it has no such address.
fn says_no(error: &ResolveError) -> bool {
    let kind = error.proto().map(|error| error.kind());
    let Some(ProtoErrorKind::NoRecordsFound { response_code, .. }) = kind else { return false };
    matches!(response_code, ResponseCode::NXDomain | ResponseCode::NoError)
}
