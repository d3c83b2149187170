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
    client::{ClientProcess, ClientSpec, Expectation, Kind},
    oracle::{Event, Oracle, Report, Rules, Timeline},
    pod::Pod,
};

/// The clients that run all the time.
#[derive(Debug)]
pub struct Traffic(Vec<ClientProcess>);

impl Traffic {
    /// Starts them. They must be stopped before `at_most` is over, or what happens then goes unseen.
    pub fn start(stage: &Stage, at_most: Duration) -> Result<Self> {
        let answer = |kind, port| (kind, targets(WEB, port), expect(&stage.web));
        let clients = [
            ("tcp", answer(Kind::Greeting, ANSWER.port)),
            ("streams", answer(Kind::Stream, STREAM.port)),
            ("udp", answer(Kind::Udp, ANSWER.port)),
            ("udp-kept", answer(Kind::UdpKept, ANSWER.port)),
            ("udp-connected", answer(Kind::UdpConnected, ANSWER.port)),
            ("tcp-refused", (Kind::Greeting, refused(), Expectation::Refused)),
            ("udp-refused", (Kind::Udp, refused(), Expectation::Refused)),
        ];
        let start = |(what, (kind, targets, expected))| {
            let spec = ClientSpec { kind, targets, expected, at_most };
            ClientProcess::start(&stage.client, what, &spec)
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

/// By IPv4, IPv6, and IPv4 through an IPv6 socket.
pub fn targets(vips: [&str; 2], port: u16) -> Vec<SocketAddr> {
    let real = vips.into_iter().filter_map(|vip| vip.parse::<IpAddr>().ok());
    let mapped = |ip| match ip {
        IpAddr::V4(v4) => vec![ip, v4.to_ipv6_mapped().into()],
        IpAddr::V6(_) => vec![ip],
    };
    real.flat_map(mapped).map(|ip| SocketAddr::new(ip, port)).collect()
}

/// A service without endpoints, and a port that a service does not have.
fn refused() -> Vec<SocketAddr> {
    let mut all = targets(NOBODY, ANSWER.port);
    all.extend(targets(WEB, UNKNOWN_PORT));
    all
}
