//! Histories of what a supervisor may meet with.

use std::time::Duration;

use evermesh_handover::{Heard, Intent, gate::Evidence, message::Request, notify::Notice};
use proptest::prelude::*;

use super::super::{Event, Peer};

/// Something that the world may do to a supervisor.
#[derive(Clone, Debug)]
pub enum Happening {
    TimePasses(Duration),
    /// The agent says that it is alive, and the supervisor does not run for so long.
    Oversleeps(Duration),
    AgentSays(Notice),
    AgentEnds(i32),
    SpawnsFail(bool),
    SeatIsBusy(bool),
    IsUninstalled(bool),
    PeerSays(Peer, Request),
    PeerLeaves(Peer),
    Predecessor(Heard),
    Signalled(Event),
    AgentLeaks(bool),
    DiskIsFull(bool),
    OthersKnowThePins(bool),
    SupervisorDies,
}

fn peers() -> impl Strategy<Value = Peer> {
    (0u64..3).prop_map(Peer)
}

fn notices() -> impl Strategy<Value = Notice> {
    prop_oneof![
        6 => Just(Notice::Ready),
        6 => Just(Notice::Alive),
        1 => Just(Notice::Stuck),
        1 => Just(Notice::Stopping),
        1 => Just(Notice::Status("busy".into())),
        1 => (1u64..20_000).prop_map(|ms| Notice::SilenceMax(Duration::from_millis(ms))),
    ]
}

fn requests() -> impl Strategy<Value = Request> {
    let within = prop_oneof![Just(None), Just(Some(u64::MAX)), (0u64..200_000).prop_map(Some)];
    prop_oneof![
        4 => within.prop_map(|commit_within_ms| {
            Request::Ask { release: "9".into(), pid: 9, commit_within_ms, digest: Some("c".into()) }
        }),
        2 => Just(Request::Commit),
        2 => Just(Request::Rollback),
        1 => Just(Request::Status),
        3 => any::<bool>().prop_map(|passes| Request::Judge { evidence: evidence(passes) }),
        4 => ("[ab]", 0u32..4).prop_map(|(release, tries)| Request::Upgrade { release, tries }),
    ]
}

/// A generation that may stay, or must not.
fn evidence(passes: bool) -> Evidence {
    Evidence { age_ms: 60_000, differences: u64::from(!passes), ..Evidence::default() }
}

fn happenings() -> impl Strategy<Value = Happening> {
    let statuses = prop_oneof![Just(0), Just(1 << 8), Just(78 << 8), Just(9), Just(11)];
    let times = || prop_oneof![0u64..300, 0u64..20_000, 0u64..400_000].prop_map(Duration::from_millis);
    prop_oneof![
        6 => times().prop_map(Happening::TimePasses),
        1 => times().prop_map(Happening::Oversleeps),
        8 => notices().prop_map(Happening::AgentSays),
        4 => statuses.prop_map(Happening::AgentEnds),
        1 => any::<bool>().prop_map(Happening::SpawnsFail),
        1 => any::<bool>().prop_map(Happening::SeatIsBusy),
        1 => any::<bool>().prop_map(Happening::IsUninstalled),
        4 => (peers(), requests()).prop_map(|(peer, request)| Happening::PeerSays(peer, request)),
        2 => peers().prop_map(Happening::PeerLeaves),
        1 => prop_oneof![Just(Heard::Nothing), Just(Heard::Gone)].prop_map(Happening::Predecessor),
        1 => Just(Happening::Signalled(Event::Reload)),
        1 => any::<bool>().prop_map(Happening::AgentLeaks),
        1 => any::<bool>().prop_map(Happening::DiskIsFull),
        2 => any::<bool>().prop_map(Happening::OthersKnowThePins),
        2 => Just(Happening::SupervisorDies),
    ]
}

fn endings() -> impl Strategy<Value = Happening> {
    let stop = Request::Stop { intent: Intent::Uninstall };
    prop_oneof![
        Just(Happening::Signalled(Event::Terminate)),
        Just(Happening::PeerSays(Peer(0), stop)),
        Just(Happening::Predecessor(Heard::TakenBack)),
    ]
}

pub fn histories() -> impl Strategy<Value = Vec<Happening>> {
    proptest::collection::vec(prop_oneof![40 => happenings(), 1 => endings()], 1..120)
}
