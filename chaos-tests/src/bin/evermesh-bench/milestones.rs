//! Where on its way a change spends its time: what a control plane saw, and the milestones that an agent's log tells.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use evermesh_chaos_tests::istiod::{Kind, Seen};
use evermesh_proto::workload::ADDRESS;
use evermesh_xds_cache::Milestone;
use hdrhistogram::Histogram;

/// Before, between and after the milestones.
pub const LEGS: [&str; Milestone::ALL.len() + 1] =
    ["to the agent", "understand", "hand over", "plan and store", "hand back", "to the control plane"];
/// Traffic obeys the change at the end of this one.
const OBEYED: usize = 3;
/// One change in so many is among the slowest.
const SLOWEST: usize = 100;

/// How long a response was on each leg, from when it left until its ACK was read.
#[derive(Clone, Copy, Debug)]
pub struct Way([Duration; LEGS.len()]);

impl Way {
    /// From when the response left until its ACK was read.
    pub fn until_ack(&self) -> Duration {
        self.0.iter().sum()
    }

    /// From when the response left until traffic obeyed it.
    pub fn until_kernel(&self) -> Duration {
        self.0[..=OBEYED].iter().sum()
    }
}

/// The ways of all changes on one stream that came to the tables.
pub fn ways(seen: &Seen, log: &str) -> Result<Vec<Way>> {
    let [stream] = seen.streams.as_slice() else { anyhow::bail!("there was more than one stream") };
    let passed = passed(log)?;
    ensure!(passed.len() == stream.responses.len(), "the agent's log tells of {} responses", passed.len());
    let accepts = stream.requests.iter().filter(|it| matches!(it.kind, Kind::Ack | Kind::Stale));
    let accepted: HashMap<_, _> = accepts.map(|it| (it.message.response_nonce.as_str(), it.at_ns)).collect();
    let changes = stream.responses.iter().zip(passed).filter(|(response, _)| response.type_url == ADDRESS);
    Ok(changes
        .filter_map(|(response, passed)| {
            let end = accepted.get(response.nonce.as_str())?;
            let passed: [u64; Milestone::ALL.len()] = passed.try_into().ok()?;
            let times = [&[response.at_ns], passed.as_slice(), &[*end]].concat();
            let mut legs = [Duration::ZERO; LEGS.len()];
            for (leg, time) in legs.iter_mut().zip(times.windows(2)) {
                *leg = Duration::from_nanos(time[1].saturating_sub(time[0]));
            }
            Some(Way(legs))
        })
        .collect())
}

/// When each response passed what, in the order in which they came.
fn passed(log: &str) -> Result<Vec<Vec<u64>>> {
    let mut responses: Vec<Vec<u64>> = Vec::new();
    for line in log.lines() {
        let Some((_, told)) = line.split_once(&format!("{}: ", Milestone::TARGET)) else { continue };
        let (milestone, at_ns) = told.split_once(" at_ns=").context("a milestone without its time")?;
        if milestone == Milestone::Heard.to_string() {
            responses.push(Vec::new());
        }
        responses.last_mut().context("a change that nobody heard of")?.push(at_ns.parse()?);
    }
    Ok(responses)
}

/// A row for each leg: median and 99th percentile in microseconds, shares of the whole and of the slowest changes in percent.
pub fn rows(ways: &[Way]) -> Result<Vec<[String; 5]>> {
    let mut slowest = ways.to_vec();
    slowest.sort_unstable_by_key(Way::until_ack);
    slowest.drain(..ways.len() - ways.len().div_ceil(SLOWEST));
    let share = |ways: &[Way], leg: usize| {
        let of_leg: Duration = ways.iter().map(|way| way.0[leg]).sum();
        format!("{:.0}", 100.0 * of_leg.div_duration_f64(ways.iter().map(Way::until_ack).sum()))
    };
    let row = |(leg, name): (usize, &&str)| {
        let took = histogram(ways.iter().map(|way| way.0[leg]))?;
        let us = |quantile| took.value_at_quantile(quantile).to_string();
        Ok([name.to_string(), us(0.5), us(0.99), share(ways, leg), share(&slowest, leg)])
    };
    LEGS.iter().enumerate().map(row).collect()
}

/// In microseconds.
pub fn histogram(times: impl IntoIterator<Item = Duration>) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    for time in times {
        histogram.record(u64::try_from(time.as_micros())?)?;
    }
    Ok(histogram)
}
