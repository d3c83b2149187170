use std::{collections::BTreeMap, fmt, net::IpAddr};

use evermesh_abi::FrontendKey;
use evermesh_loader::tables::Target;
use serde::Serialize;

use super::{compare::Sides, look::Look};
use crate::command::dump::{algorithm, protocol};

/// `config diff`.
#[derive(Debug, Serialize)]
pub struct DiffView {
    pub same: bool,
    source: String,
    node: String,
    generation: u32,
    /// That the source knows.
    destinations: usize,
    differences: Vec<DifferenceView>,
}

/// Destinations of one service of which the same becomes, and should not.
#[derive(Debug, Serialize)]
struct DifferenceView {
    service: Option<String>,
    destinations: Vec<DestinationView>,
    source: SideView,
    tables: SideView,
    /// Those of which the number of slots differs.
    endpoints: Vec<EndpointView>,
}

/// What an application asks for.
#[derive(Debug, Serialize)]
struct DestinationView {
    address: IpAddr,
    /// None: every port that no service offers.
    port: Option<u16>,
    protocol: Option<String>,
}

/// What becomes of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct SideView {
    outcome: Outcome,
    /// How an endpoint is picked.
    algorithm: Option<String>,
    /// How the tables contradict themselves.
    broken: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The mesh does not know it.
    LeftAlone,
    Refused,
    Led,
    Broken,
}

#[derive(Debug, Serialize)]
struct EndpointView {
    address: IpAddr,
    port: u16,
    workload: Option<String>,
    source_slots: usize,
    tables_slots: usize,
}

impl DiffView {
    /// By service and destination.
    pub fn of(look: &Look) -> Self {
        let mut services: BTreeMap<Option<&str>, Vec<(&Sides, Vec<&FrontendKey>)>> = BTreeMap::new();
        for (key, sides) in &look.differences {
            let groups = services.entry(look.service(key)).or_default();
            match groups.iter_mut().find(|(same, _)| *same == sides) {
                Some((_, keys)) => keys.push(key),
                None => groups.push((sides, vec![key])),
            }
        }
        let mut differences = Vec::new();
        for (service, mut groups) in services {
            groups.sort_by_key(|(_, keys)| keys.first().map(|key| u16::from_be(key.port)));
            differences.extend(
                groups
                    .into_iter()
                    .map(|(sides, keys)| DifferenceView::of(service, sides, keys, |at| look.workload(at))),
            );
        }
        Self {
            same: look.differences.is_empty(),
            source: look.source.clone(),
            node: look.node.clone(),
            generation: look.generation,
            destinations: look.destinations,
            differences,
        }
    }
}

impl DifferenceView {
    fn of<'a>(
        service: Option<&str>,
        sides: &Sides,
        keys: Vec<&FrontendKey>,
        workload: impl Fn(&(IpAddr, u16)) -> Option<&'a str>,
    ) -> Self {
        let (source, tables) = (shares(sides.source.as_ref()), shares(sides.tables.as_ref()));
        let mut all: Vec<_> = source.keys().chain(tables.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        let endpoint = |at: &(IpAddr, u16)| EndpointView {
            address: at.0,
            port: at.1,
            workload: workload(at).map(str::to_owned),
            source_slots: source.get(at).copied().unwrap_or_default(),
            tables_slots: tables.get(at).copied().unwrap_or_default(),
        };
        let differs = |endpoint: &EndpointView| endpoint.source_slots != endpoint.tables_slots;
        Self {
            service: service.map(str::to_owned),
            destinations: keys.into_iter().map(DestinationView::from).collect(),
            source: SideView::of(sides.source.as_ref()),
            tables: SideView::of(sides.tables.as_ref()),
            endpoints: all.iter().map(endpoint).filter(differs).collect(),
        }
    }
}

fn shares(target: Option<&Target>) -> BTreeMap<(IpAddr, u16), usize> {
    match target {
        Some(Target::Endpoints { shares, .. }) => shares.clone(),
        _ => BTreeMap::new(),
    }
}

impl From<&FrontendKey> for DestinationView {
    fn from(key: &FrontendKey) -> Self {
        let offered = !key.is_mark();
        let port = offered.then_some(u16::from_be(key.port));
        Self { address: key.address.into(), port, protocol: offered.then(|| protocol(key.protocol)) }
    }
}

impl SideView {
    fn of(target: Option<&Target>) -> Self {
        let side = |outcome| Self { outcome, algorithm: None, broken: None };
        match target {
            None | Some(Target::LeftAlone) => side(Outcome::LeftAlone),
            Some(Target::Refused) => side(Outcome::Refused),
            Some(Target::Broken(how)) => Self { broken: Some(how), ..side(Outcome::Broken) },
            Some(Target::Endpoints { algorithm: number, .. }) => {
                Self { algorithm: Some(algorithm(*number)), ..side(Outcome::Led) }
            }
        }
    }

    /// What there is to say beside the endpoints.
    fn text(&self, other: &Self) -> Option<String> {
        match (self.outcome, self.broken) {
            (_, Some(how)) => Some(format!("broken: {how}")),
            (Outcome::Refused, _) => Some("refused".into()),
            (Outcome::Led, _) if other.outcome == Outcome::Led && self.algorithm != other.algorithm => {
                self.algorithm.as_ref().map(|algorithm| format!("algorithm {algorithm}"))
            }
            // That the other side knows it says the sign before it.
            _ => None,
        }
    }
}

impl fmt::Display for DiffView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, node, generation, destinations, .. } = self;
        if self.same {
            return write!(
                f,
                "no difference: generation {generation} does what {source} says for {node}, {destinations} destinations"
            );
        }
        write!(f, "--- {source}, for {node}\n+++ generation {generation}")?;
        self.differences.iter().try_for_each(|difference| write!(f, "\n\n{difference}"))
    }
}

impl fmt::Display for DifferenceView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.source.outcome, self.tables.outcome) {
            (Outcome::LeftAlone, _) => '+',
            (_, Outcome::LeftAlone) => '-',
            _ => ' ',
        };
        let at: Vec<_> = self.destinations.iter().map(ToString::to_string).collect();
        write!(f, "{sign} {} at {}", self.service.as_deref().unwrap_or("no service"), at.join(", "))?;
        let line = |f: &mut fmt::Formatter<'_>, sign, text: &str| write!(f, "\n{sign}   {text}");
        if let Some(text) = self.source.text(&self.tables) {
            line(f, '-', &text)?;
        }
        if let Some(text) = self.tables.text(&self.source) {
            line(f, '+', &text)?;
        }
        for endpoint in &self.endpoints {
            for (sign, slots) in [('-', endpoint.source_slots), ('+', endpoint.tables_slots)] {
                if slots > 0 {
                    line(f, sign, &endpoint.text(slots))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for DestinationView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, &self.protocol) {
            (Some(port), Some(protocol)) => {
                write!(f, "{}/{protocol}", std::net::SocketAddr::from((self.address, port)))
            }
            _ => write!(f, "every other port of {}", self.address),
        }
    }
}

impl EndpointView {
    fn text(&self, slots: usize) -> String {
        let at = std::net::SocketAddr::from((self.address, self.port));
        let who = self.workload.as_deref().unwrap_or("of no workload that is known");
        let slots = if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
        format!("{at} {who}, {slots}")
    }
}
