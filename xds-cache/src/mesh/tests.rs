use std::collections::BTreeMap;

use evermesh_model::{Delta, Policy, ServiceKey};
use evermesh_proto::workload::{self as wire, Workload};
use proptest::prelude::*;

use super::*;
use crate::{
    OnUnsupported,
    samples::{garbage, of_service, of_workload, policy, said, service, waypoint, workload},
};

fn mesh(resources: Vec<Resource>) -> Mesh {
    let mut mesh = Mesh::default();
    let taken = mesh.take(said(resources));
    assert_eq!(taken.rejected, []);
    mesh
}

/// Addresses of the members of a service.
fn members(mesh: &Mesh, host: &str) -> Vec<String> {
    let key = ServiceKey { namespace: "demo".into(), hostname: host.into() };
    let members = mesh.snapshot().members(&key);
    members.flat_map(|workload| &workload.addresses).map(ToString::to_string).collect()
}

fn vips(mesh: &Mesh, host: &str) -> Vec<String> {
    let key = ServiceKey { namespace: "demo".into(), hostname: host.into() };
    mesh.snapshot().service(&key).unwrap().vips.iter().map(ToString::to_string).collect()
}

#[test]
fn a_workload_may_come_before_its_service() {
    let mut mesh = mesh(vec![of_workload(workload("w1", [10, 0, 0, 1], &["web"]))]);
    mesh.take(said(vec![of_service(service("web", &[[10, 96, 0, 1]]))]));
    assert_eq!(
        (members(&mesh, "web"), vips(&mesh, "web")),
        (vec!["10.0.0.1".into()], vec!["10.96.0.1".into()])
    );
}

#[test]
fn an_address_moves_from_one_workload_to_another_at_once() {
    let mut mesh = mesh(vec![of_workload(workload("w1", [10, 0, 0, 1], &["web"]))]);
    let before = mesh.snapshot().clone();
    let other = of_workload(workload("w2", [10, 0, 0, 1], &["web"]));
    mesh.take(Said { removed: vec!["w1".into()], ..said(vec![other]) });
    assert_eq!(members(&mesh, "web"), ["10.0.0.1"]);
    assert_eq!(Delta::between(&before, mesh.snapshot()).workloads.len(), 2);
}

#[test]
fn what_cannot_be_understood_leaves_what_was_known_and_everything_else_is_taken() {
    let mut mesh = mesh(vec![of_workload(workload("w1", [10, 0, 0, 1], &["web"]))]);
    let good = of_workload(workload("w2", [10, 0, 0, 2], &["web"]));
    let taken = mesh.take(Said { everything: true, ..said(vec![garbage(Kind::Address, "w1"), good]) });
    assert_eq!(taken.rejected.len(), 1);
    assert_eq!(members(&mesh, "web"), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(mesh.refused().iter().count(), 1);
    mesh.take(said(vec![of_workload(workload("w1", [10, 0, 0, 3], &["web"]))]));
    assert_eq!(mesh.refused().iter().count(), 0);
    assert_eq!(members(&mesh, "web"), ["10.0.0.3", "10.0.0.2"]);
}

#[test]
fn a_name_may_be_a_workload_and_then_a_service() {
    let mut mesh = mesh(vec![of_workload(workload("demo/web", [10, 0, 0, 1], &["api"]))]);
    mesh.take(said(vec![of_service(service("web", &[[10, 96, 0, 1]]))]));
    assert_eq!((mesh.snapshot().workload_count(), mesh.snapshot().service_count()), (0, 1));
    assert_eq!(members(&mesh, "api"), [""; 0]);
}

#[test]
fn the_first_by_name_has_an_address_that_two_claim_and_the_next_gets_it_when_that_goes() {
    let mut mesh = mesh(vec![of_service(service("b", &[[10, 96, 0, 1]]))]);
    mesh.take(said(vec![of_service(service("a", &[[10, 96, 0, 1]]))]));
    assert_eq!((vips(&mesh, "a"), vips(&mesh, "b")), (vec!["10.96.0.1".into()], vec![]));
    assert!(mesh.warnings()[0].contains("claimed by demo/a and by demo/b"), "{:?}", mesh.warnings());
    mesh.take(Said { removed: vec!["demo/a".into()], ..said(vec![]) });
    assert_eq!(vips(&mesh, "b"), ["10.96.0.1"]);
    assert_eq!(mesh.warnings(), [""; 0]);
}

#[test]
fn the_same_again_changes_nothing_and_a_new_version_is_kept() {
    let mut mesh = mesh(vec![of_workload(workload("w1", [10, 0, 0, 1], &[]))]);
    let before = mesh.snapshot().clone();
    let same = of_workload(workload("w1", [10, 0, 0, 1], &[]));
    assert_eq!(mesh.take(said(vec![same.clone()])).changed, []);
    let taken = mesh.take(said(vec![Resource { version: "9".into(), ..same }]));
    assert_eq!(taken.changed.len(), 1);
    assert_eq!(mesh.versions(Kind::Address).next().unwrap().1, "9");
    assert!(Delta::between(&before, mesh.snapshot()).is_empty());
}

fn named(uid: &str, hostname: &str) -> Workload {
    Workload { addresses: vec![], hostname: hostname.into(), ..workload(uid, [0; 4], &["web"]) }
}

#[test]
fn a_workload_of_a_hostname_has_the_addresses_of_the_answer() {
    let mut mesh = mesh(vec![of_workload(named("w1", "db.example.com"))]);
    assert_eq!(members(&mesh, "web"), [""; 0]);
    assert!(mesh.resolve("db.example.com", vec![[192, 0, 2, 1].into()]));
    assert!(!mesh.resolve("db.example.com", vec![[192, 0, 2, 1].into()]));
    assert!(!mesh.resolve("nobody.example.com", vec![[192, 0, 2, 1].into()]));
    assert_eq!(members(&mesh, "web"), ["192.0.2.1"]);
    mesh.take(Said { removed: vec!["w1".into()], ..said(vec![]) });
    assert_eq!((mesh.hostnames().count(), mesh.is_resolved("db.example.com")), (0, false));
}

#[test]
fn workloads_of_one_response_share_the_long_name_of_their_service() {
    let hostname = "web".repeat(9);
    let workloads = ["w1", "w2"].map(|uid| of_workload(workload(uid, [10, 0, 0, 1], &[&hostname])));
    let mesh = mesh(workloads.to_vec());
    let names: BTreeSet<_> = mesh.snapshot().workloads().flat_map(|it| it.services.keys()).collect();
    let places: BTreeSet<_> = mesh
        .snapshot()
        .workloads()
        .flat_map(|it| it.services.keys())
        .map(|it| it.hostname.as_ptr())
        .collect();
    assert_eq!((mesh.snapshot().workload_count(), names.len(), places.len()), (2, 1, 1));
}

#[test]
fn what_is_asked_for_and_not_done_is_told_or_withheld() {
    let asking = of_workload(Workload { waypoint: waypoint(), ..workload("w1", [10, 0, 0, 1], &["web"]) });
    let conversion = |on_unsupported| Conversion { on_unsupported, ..Conversion::default() };
    for (on_unsupported, withheld) in [(OnUnsupported::Warn, false), (OnUnsupported::Refuse, true)] {
        let mut mesh = Mesh::new(conversion(on_unsupported));
        mesh.take(said(vec![asking.clone()]));
        assert_eq!(mesh.snapshot().workloads().next().unwrap().withheld, withheld);
        insta::allow_duplicates! {
            assert!(mesh.warnings()[0].starts_with("1 resource (w1) asks for a waypoint on the way: "));
        }
    }
}

fn unsaid(targets: &[u32]) -> wire::Service {
    let port = |&target_port: &u32| wire::Port { service_port: 53, target_port, ..wire::Port::default() };
    wire::Service { ports: targets.iter().map(port).collect(), ..service("dns", &[[10, 96, 0, 53]]) }
}

fn naming(uid: &str, target_port: u32) -> Resource {
    let mut workload = workload(uid, [10, 0, 0, 1], &["dns"]);
    let port = wire::Port { service_port: 53, target_port, ..wire::Port::default() };
    workload.services.values_mut().for_each(|ports| ports.ports = vec![port]);
    of_workload(workload)
}

#[test]
fn a_port_that_is_left_alone_is_told_until_somebody_has_a_target_for_it() {
    let mut mesh = mesh(vec![of_service(unsaid(&[0])), naming("w1", 0)]);
    let told = |mesh: &Mesh| match mesh.listed(&mesh.names()[0]).unwrap().says {
        Says::Service { left_alone, .. } => (mesh.warnings(), left_alone),
        other => panic!("{other:?}"),
    };
    let (warnings, ports) = told(&mesh);
    assert!(
        warnings[0].starts_with("1 service port (port 53 of demo/dns) has a target port of a name"),
        "{warnings:?}"
    );
    assert_eq!((warnings.len(), ports), (1, vec![53]));
    mesh.take(said(vec![naming("w2", 5353)]));
    assert_eq!(told(&mesh), (vec![], vec![]));
    mesh.take(Said { removed: vec!["w2".into()], ..said(vec![]) });
    assert_eq!(told(&mesh).1, [53]);
    mesh.take(said(vec![of_service(unsaid(&[5353, 53]))]));
    let (warnings, ports) = told(&mesh);
    assert!(warnings[0].contains("has several target ports, and which is for TCP"), "{warnings:?}");
    assert_eq!((warnings.len(), ports), (1, vec![53]));
    mesh.take(said(vec![of_service(unsaid(&[5353, 5353]))]));
    assert_eq!(told(&mesh), (vec![], vec![]));
    mesh.take(said(vec![of_service(wire::Service { addresses: vec![], ..unsaid(&[0]) })]));
    assert_eq!(told(&mesh), (vec![], vec![]), "who has no virtual IP has nothing that could pass");
}

#[test]
fn a_workload_that_changes_keeps_the_addresses_of_its_hostname() {
    let mut mesh = mesh(vec![of_workload(named("w1", "db.example.com"))]);
    mesh.resolve("db.example.com", vec![[192, 0, 2, 1].into()]);
    mesh.take(said(vec![of_workload(Workload { node: "n1".into(), ..named("w1", "db.example.com") })]));
    assert_eq!(members(&mesh, "web"), ["192.0.2.1"]);
    let other = of_workload(named("w2", "db.example.com"));
    mesh.take(Said { removed: vec!["w1".into()], ..said(vec![other]) });
    assert_eq!(members(&mesh, "web"), ["192.0.2.1"]);
}

#[test]
fn an_address_that_no_workload_can_have_leads_nowhere_and_is_in_nobodys_way() {
    let mut mesh = mesh(vec![of_workload(named("w1", "blocked.example.com"))]);
    let blocked = [[0, 0, 0, 0].into(), "::".parse().unwrap(), "::ffff:192.0.2.1".parse().unwrap()];
    assert!(mesh.resolve("blocked.example.com", blocked.to_vec()));
    assert_eq!(mesh.unresolved(), ["blocked.example.com"]);
    let changed = of_workload(Workload { node: "n1".into(), ..named("w1", "blocked.example.com") });
    mesh.take(said(vec![changed, of_workload(workload("w2", [10, 0, 0, 2], &["web"]))]));
    assert_eq!(members(&mesh, "web"), ["10.0.0.2"]);
    mesh.resolve("blocked.example.com", vec![[0, 0, 0, 0].into(), [192, 0, 2, 1].into()]);
    assert_eq!(members(&mesh, "web"), ["192.0.2.1", "10.0.0.2"]);
}

#[test]
fn nobody_complains_of_what_was_never_understood_and_is_gone() {
    let mut mesh = Mesh::default();
    let refused = |mesh: &Mesh| mesh.refused().iter().count();
    mesh.take(said(vec![garbage(Kind::Address, "w1"), garbage(Kind::Address, "w2")]));
    mesh.take(Said { kind: Kind::Authorization, ..said(vec![garbage(Kind::Authorization, "p1")]) });
    assert_eq!(refused(&mesh), 3);
    mesh.take(Said { removed: vec!["w1".into()], ..said(vec![]) });
    assert_eq!(refused(&mesh), 2);
    mesh.take(Said { everything: true, ..said(vec![]) });
    assert_eq!(refused(&mesh), 1);
    mesh.take(Said { everything: true, ..said(vec![garbage(Kind::Address, "w1")]) });
    assert_eq!(refused(&mesh), 2);
}

/// One thing that a control plane may say.
#[derive(Clone, Debug)]
enum Word {
    Is(Resource),
    Gone(Kind, String),
    Garbage(Kind, String),
    Answer(String, Vec<IpAddr>),
}

fn word() -> impl Strategy<Value = Word> {
    let vips = prop::collection::vec(1u8..4, 0..3);
    let service = (0u8..4, vips, prop::bool::weighted(0.2)).prop_map(|(n, vips, asks)| {
        let vips: Vec<_> = vips.into_iter().map(|vip| [10, 96, 0, vip]).collect();
        let mut service = service(&format!("s{n}"), &vips);
        service.waypoint = waypoint().filter(|_| asks);
        // The port of some has a name, that of some two targets.
        let other = wire::Port { target_port: 9090, ..service.ports[0] };
        match n {
            1 | 2 => service.ports[0].target_port = 0,
            3 => service.ports.push(other),
            _ => {}
        }
        Word::Is(of_service(service))
    });
    let hosts = prop::collection::vec(0u8..4, 0..3);
    let workload = (0u8..5, 0u8..4, hosts, 0u8..3).prop_map(|(n, ip, hosts, hostname)| {
        let hosts: Vec<_> = hosts.into_iter().map(|n| format!("s{n}")).collect();
        let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
        // Some are named as services are.
        let uid = if n == 4 { "demo/s3".to_owned() } else { format!("w{n}") };
        let mut workload = workload(&uid, [10, 0, 0, ip + 1], &hosts);
        if ip == 0 {
            workload.addresses.clear();
            workload.hostname = format!("h{hostname}");
        }
        // Some do not say what it stands for.
        if ip == 3 {
            workload.services.values_mut().for_each(|ports| ports.ports.clear());
        }
        Word::Is(of_workload(workload))
    });
    let policy = (0u8..3).prop_map(|n| Word::Is(policy(&format!("p{n}"))));
    let name = prop::sample::select(vec!["demo/s0", "demo/s1", "demo/s3", "w0", "w1", "w2", "nobody"]);
    let policy_name = prop::sample::select(vec!["demo/p0", "demo/p1", "demo/p2"]);
    let named = prop_oneof![
        3 => name.prop_map(|name| (Kind::Address, name.to_owned())),
        1 => policy_name.prop_map(|name| (Kind::Authorization, name.to_owned())),
    ];
    let answer = (0u8..3, prop::collection::vec(1u8..4, 0..3)).prop_map(|(n, ips)| {
        Word::Answer(format!("h{n}"), ips.into_iter().map(|ip| [192, 0, 2, ip].into()).collect())
    });
    prop_oneof![
        4 => service,
        6 => workload,
        1 => policy,
        3 => named.clone().prop_map(|(kind, name)| Word::Gone(kind, name)),
        1 => named.prop_map(|(kind, name)| Word::Garbage(kind, name)),
        2 => answer,
    ]
}

/// What the words of one response come to, in the simplest way.
#[derive(Default)]
struct Plain {
    resources: BTreeMap<(Kind, String), Resource>,
    answers: BTreeMap<String, Vec<IpAddr>>,
}

impl Plain {
    fn hear(&mut self, words: &[Word]) {
        for word in words {
            if let Word::Gone(kind, name) = word {
                self.resources.remove(&(*kind, name.clone()));
            }
        }
        for word in words {
            match word {
                Word::Is(resource) => {
                    let kind = Kind::of(&resource.resource.as_ref().unwrap().type_url).unwrap();
                    self.resources.insert((kind, resource.name.clone()), resource.clone());
                }
                Word::Answer(name, ips) => drop(self.answers.insert(name.clone(), ips.clone())),
                Word::Gone(..) | Word::Garbage(..) => {}
            }
        }
    }
}

fn hear(mesh: &mut Mesh, words: &[Word], everything: bool) {
    for kind in Kind::ALL {
        let mut said = Said { kind, resources: vec![], removed: vec![], everything };
        for word in words {
            match word {
                Word::Is(it) if Kind::of(&it.resource.as_ref().unwrap().type_url) == Some(kind) => {
                    said.resources.push(it.clone());
                }
                Word::Garbage(of, name) if *of == kind => said.resources.push(garbage(kind, name)),
                Word::Gone(of, name) if *of == kind => said.removed.push(name.clone()),
                _ => {}
            }
        }
        mesh.take(said);
    }
    for word in words {
        if let Word::Answer(name, ips) = word {
            mesh.resolve(name, ips.clone());
        }
    }
}

type View = (Vec<Arc<evermesh_model::Service>>, Vec<Arc<evermesh_model::Workload>>, Vec<Arc<Policy>>);

fn view(mesh: &Mesh) -> (View, [u8; 32], Vec<String>) {
    let snapshot = mesh.snapshot();
    let view = (
        snapshot.services().cloned().collect(),
        snapshot.workloads().cloned().collect(),
        snapshot.policies().cloned().collect(),
    );
    (view, mesh.digest(), mesh.warnings())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Garbage and removal of one name in one response are kept apart: which of the two holds is nobody's promise.
    #[test]
    fn it_does_not_matter_in_which_order_things_were_said(
        responses in prop::collection::vec(prop::collection::vec(word(), 0..8), 0..12),
    ) {
        let (mut mesh, mut plain) = (Mesh::default(), Plain::default());
        for mut words in responses {
            let garbage: Vec<_> = words.iter().filter_map(|word| match word {
                Word::Garbage(kind, name) => Some((*kind, name.clone())),
                _ => None,
            }).collect();
            words.retain(|word| !matches!(word, Word::Gone(kind, name) if garbage.contains(&(*kind, name.clone()))));
            hear(&mut mesh, &words, false);
            plain.hear(&words);
        }
        let mut fresh = Mesh::default();
        let mut all: Vec<_> = plain.resources.into_values().map(Word::Is).collect();
        hear(&mut fresh, &all, true);
        // An answer that nobody asked for is not kept, so they come again.
        for (name, ips) in mesh.hostnames().filter_map(|name| Some((name, mesh.hostnames.addresses(name)?.to_vec()))) {
            prop_assert_eq!(plain.answers.get(name.as_str()), Some(&ips));
            fresh.resolve(name, ips);
        }
        prop_assert_eq!(view(&mesh), view(&fresh));
        all.reverse();
        hear(&mut mesh, &all, true);
        prop_assert_eq!(view(&mesh), view(&fresh));
    }
}
