//! Clients that hammer the virtual IPs from the first moment to the last.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Stage,
    config::{ANSWER, NOBODY, STREAM, UNKNOWN_PORT, WEB},
};
use crate::{
    Result,
    client::{ClientProcess, ClientSpec, Expectation, Kind, Target},
    oracle::{Event, Oracle, Report, Rules, Timeline},
    pod::Pod,
};

/// The clients that run all the time.
#[derive(Debug)]
pub struct Traffic(Vec<ClientProcess>);

impl Traffic {
    /// Longest time that the clients go on by themselves around what is done.
    const AT_MOST: Duration = Duration::from_mins(20);

    /// Does that under traffic, and judges the events that it tells.
    pub fn around(stage: &Stage, act: impl FnOnce() -> Result<Vec<Event>>) -> Result<Report> {
        let traffic = Self::start(stage, Self::AT_MOST)?;
        let events = act()?;
        traffic.judge(stage, events)
    }

    /// Starts them. They must be stopped before `at_most` is over, or what happens then goes unseen.
    pub fn start(stage: &Stage, at_most: Duration) -> Result<Self> {
        let answering = |port| targets(WEB, port, &expect(&stage.web));
        let clients = [
            (Kind::Greeting, [answering(ANSWER.port), refusing()].concat()),
            (Kind::Stream, answering(STREAM.port)),
            (Kind::Udp, [answering(ANSWER.port), refusing()].concat()),
            (Kind::UdpConnected, [answering(ANSWER.port), refusing()].concat()),
            (Kind::UdpKept, answering(ANSWER.port)),
            (Kind::UdpConnectedKept, answering(ANSWER.port)),
        ];
        let start = |(kind, targets)| {
            let spec = ClientSpec { kind, targets, at_most };
            ClientProcess::start(&stage.client, &format!("client-{kind:?}"), &spec)
        };
        Ok(Self(clients.into_iter().map(start).collect::<Result<_, _>>()?))
    }

    /// Stops them and judges what they recorded.
    pub fn judge(self, stage: &Stage, events: Vec<Event>) -> Result<Report> {
        let mut oracle = Oracle::new(Timeline::new(events)?, Rules::default());
        for client in self.0 {
            let name = client.what().to_owned();
            oracle.recording(&name, &client.stop()?)?;
        }
        for (pod, before, after) in stage.listen_overflows_since()? {
            oracle.listen_overflows(pod, before, after);
        }
        Ok(oracle.finish())
    }
}

/// Any of these pods may answer.
pub fn expect(pods: &[Pod]) -> Expectation {
    Expectation::Answer(pods.iter().filter_map(|pod| pod.name().parse().ok()).collect())
}

/// A port of virtual IPs, by IPv4, IPv6, and IPv4 through an IPv6 socket.
pub fn targets(vips: [&str; 2], port: u16, expected: &Expectation) -> Vec<Target> {
    let real = vips.into_iter().filter_map(|vip| vip.parse::<IpAddr>().ok());
    let mapped = |ip| match ip {
        IpAddr::V4(v4) => vec![ip, v4.to_ipv6_mapped().into()],
        IpAddr::V6(_) => vec![ip],
    };
    let target = |ip| Target { address: SocketAddr::new(ip, port), expected: expected.clone() };
    real.flat_map(mapped).map(target).collect()
}

/// A service without endpoints, and a port that a service does not have.
fn refusing() -> Vec<Target> {
    let nobody = targets(NOBODY, ANSWER.port, &Expectation::Refused);
    [nobody, targets(WEB, UNKNOWN_PORT, &Expectation::Refused)].concat()
}
