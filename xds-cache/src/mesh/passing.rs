use evermesh_model::{Mode, Passes, ServiceKey, Snapshot};
use imbl::OrdMap;

/// Service ports whose flows are left alone, because it is not said where they should go.
#[derive(Clone, Debug, Default)]
pub(super) struct Passing(OrdMap<(ServiceKey, u16), Passes>);

/// So many are named where there are more.
const NAMED: usize = 3;

impl Passing {
    /// What holds of a service in this snapshot.
    pub fn update(&mut self, key: &ServiceKey, snapshot: &Snapshot) {
        let before: Vec<u16> = self.of(key).collect();
        for port in before {
            self.0.remove(&(key.clone(), port));
        }
        let balanced = snapshot.service(key).filter(|service| {
            let is_here = service.vips.iter().any(|vip| vip.network.is_empty());
            is_here && service.balancing.mode != Mode::Passthrough
        });
        let Some(service) = balanced else { return };
        for (&number, port) in &service.ports {
            if service.leaves_alone(number, snapshot.members(key).map(AsRef::as_ref)) {
                self.0.insert((key.clone(), number), port.passes);
            }
        }
    }

    /// Of one service.
    pub fn of(&self, key: &ServiceKey) -> impl Iterator<Item = u16> {
        let from = (key.clone(), 0);
        self.0.range(from..).take_while(move |((other, _), _)| other == key).map(|((_, port), _)| *port)
    }

    /// For people.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        let of = |passes| self.0.iter().filter(move |(_, why)| **why == passes).map(|(port, _)| port);
        [Passes::Untargeted, Passes::Always].into_iter().filter_map(move |passes| {
            let all: Vec<_> = of(passes).collect();
            (!all.is_empty()).then(|| sentence(passes, &all))
        })
    }
}

fn sentence(passes: Passes, all: &[&(ServiceKey, u16)]) -> String {
    let one = |(key, port): &&(ServiceKey, u16)| format!("port {port} of {key}");
    let mut some = all.iter().take(NAMED).map(one).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED {
        some.push_str(", ...");
    }
    let (ports, have, them) = if all.len() == 1 { ("port", "has", "it") } else { ("ports", "have", "them") };
    let what = match passes {
        Passes::Always => "several target ports, and which is for TCP and which for UDP is not said",
        Passes::Untargeted | Passes::Never => {
            "a target port of a name that no workload is said to have, as names over UDP never are"
        }
    };
    format!("{} service {ports} ({some}) {have} {what}: traffic to {them} is left alone", all.len())
}
