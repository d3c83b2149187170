//! Meshes that are read: from one file, from many, and with what a user should know about them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, net::IpAddr, path::Path};

use evermesh_agent::source::{self, Loaded, SourceError};
use evermesh_model::{
    Balancing, Health, HealthPolicy, Locality, Mode, Protocol, Scope, Service, ServiceKey, Workload,
    WorkloadUid,
};
use tempfile::TempDir;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mesh.yaml");

fn load(path: impl AsRef<Path>) -> Loaded {
    source::read(path.as_ref()).unwrap().parse().unwrap()
}

/// A directory that holds these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn load_text(text: &str) -> Loaded {
    load(directory(&[("mesh.yaml", text)]).path())
}

fn service<'a>(loaded: &'a Loaded, key: &str) -> &'a Service {
    loaded.snapshot.service(&ServiceKey::try_from(key.to_owned()).unwrap()).unwrap()
}

fn workload<'a>(loaded: &'a Loaded, uid: &str) -> &'a Workload {
    loaded.snapshot.workload(&WorkloadUid::new(uid)).unwrap()
}

fn service_yaml(host: &str, vip: &str) -> String {
    format!("{{name: {host}, namespace: demo, hostname: {host}, vips: [{vip:?}], ports: {{80: 8080}}}}")
}

#[test]
fn the_example_is_two_services_over_four_workloads() {
    let loaded = load(EXAMPLE);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let web = service(&loaded, "demo/web.demo.svc.cluster.local");
    assert_eq!(web.vips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.96.0.10", "fd00:96::10"]);
    assert_eq!(web.ports[&80].target_port, 8080);
    assert_eq!(web.ports[&80].protocols, [Protocol::Tcp, Protocol::Udp]);
    assert_eq!(loaded.snapshot.members(&web.key).count(), 3);
    assert_eq!(workload(&loaded, "demo/web-3").services[&web.key][&80], 9080);
    let dns = service(&loaded, "demo/dns.demo.svc.cluster.local");
    assert_eq!((dns.ports[&53].target_port, &*dns.ports[&53].protocols), (5353, &[Protocol::Udp][..]));
}

/// Of the documentation, whatever is a whole mesh.
#[test]
fn the_examples_of_the_documentation_are_meshes() {
    let text = include_str!("../../docs/configuration.md");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let meshes: Vec<_> = blocks.filter(|block| block.starts_with("services:")).map(load_text).collect();
    assert!(meshes.len() >= 6, "only {} were found", meshes.len());
    for mesh in meshes {
        assert!(mesh.warnings.is_empty(), "{:?}", mesh.warnings);
    }
}

#[test]
fn a_file_as_ztunnel_reads_it() {
    let loaded = load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/source/ztunnel.yaml"));
    let all = workload(&loaded, "Kubernetes//Pod/shop/cart-0");
    assert_eq!(all.addresses, ["10.1.0.7", "fd00:1::7"].map(|ip| ip.parse::<IpAddr>().unwrap()).into());
    assert_eq!((&*all.node, &*all.network, all.health), ("node-a", "east", Health::Unhealthy));
    assert_eq!(all.services[&service(&loaded, "shop/cart.shop.svc.cluster.local").key][&80], 8080);
    let cart = service(&loaded, "shop/cart.shop.svc.cluster.local");
    assert_eq!(cart.vips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.2.0.1", "east/10.2.0.1"]);
    let locality = Locality { region: "eu".into(), zone: "eu-1".into(), subzone: "rack-2".into() };
    assert_eq!(
        (&*all.cluster, &*all.locality, all.capacity, &*all.revision),
        ("Kubernetes", &locality, 4, "3")
    );
    let (scopes, health_policy) = (vec![Scope::Zone, Scope::Node], HealthPolicy::AllowAll);
    let expected = Balancing { mode: Mode::Failover, scopes, health_policy, ..Balancing::default() };
    assert_eq!(cart.balancing, expected);
    let policy = loaded.snapshot.policies().next().unwrap();
    let warnings = loaded.warnings.join("\n").replace(concat!(env!("CARGO_MANIFEST_DIR"), "/"), "");
    insta::with_settings!({ snapshot_path => "source", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!("ztunnel_policy", policy);
        insta::assert_snapshot!("ztunnel_warnings", warnings);
    });
}

#[test]
fn the_files_of_a_directory_are_one_mesh() {
    let (services, workloads) = (
        format!("services:\n- {}\n", service_yaml("web", "10.96.0.10")),
        "workloads:\n- {name: w, namespace: demo, workloadIps: [10.0.0.1], services: {demo/web: {}}}\n",
    );
    let files = [("20-workloads.yml", workloads), ("10-services.yaml", &services)];
    let ignored = [(".hidden.yaml", "no mesh"), ("notes.txt", "no mesh"), ("mesh.yaml~", "no mesh")];
    let directory = directory(&[&files[..], &ignored].concat());
    let loaded = load(directory.path());
    let names: Vec<_> = loaded.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["10-services.yaml", "20-workloads.yml"]);
    assert_eq!(loaded.snapshot.members(&service(&loaded, "demo/web").key).count(), 1);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn what_two_files_claim_both_is_said_with_both_places() {
    let one = format!("services:\n- {}\n", service_yaml("web", "10.96.0.10"));
    let other = format!("services:\n- {}\n", service_yaml("api", "/10.96.0.10"));
    let directory = directory(&[("a.yaml", &one), ("b.yaml", &other)]);
    let error = source::read(directory.path()).unwrap().parse().unwrap_err();
    let message = error.to_string().replace(&format!("{}/", directory.path().display()), "");
    insta::assert_snapshot!(message, @"b.yaml:2: services[0].vips[0]: virtual IP `10.96.0.10` already belongs to service `demo/web` in a.yaml:2: give it to one only");
}

#[test]
fn documents_of_one_file_are_one_mesh() {
    let (web, api) = (service_yaml("web", "10.96.0.10"), service_yaml("api", "10.96.0.11"));
    let loaded = load_text(&format!("---\nservices: [{web}]\n---\n# nothing\n---\nservices: [{api}]\n...\n"));
    assert_eq!(loaded.snapshot.services().count(), 2);
}

#[test]
fn a_mesh_may_be_empty_when_it_says_so() {
    assert_eq!(load_text("services: []\n").snapshot, evermesh_model::Snapshot::default());
}

#[test]
fn json_is_yaml_too() {
    let loaded = load_text(
        r#"{"services": [{"name": "web", "namespace": "demo", "hostname": "web", "vips": ["10.96.0.10"],
            "ports": {"80": {"targetPort": 8080, "protocols": ["UDP", "TCP", "UDP"]}}}]}"#,
    );
    let port = &service(&loaded, "demo/web").ports[&80];
    assert_eq!((port.target_port, &*port.protocols), (8080, &[Protocol::Tcp, Protocol::Udp][..]));
}

#[test]
fn aliases_stand_for_what_they_name() {
    let loaded = load_text(
        "services: []\nworkloads:\n\
         - {name: a, namespace: &ns demo, workloadIps: [10.0.0.1], services: &web {demo/web: {80: 81}}}\n\
         - {name: b, namespace: *ns, workloadIps: [10.0.0.2], services: *web}\n",
    );
    assert_eq!(workload(&loaded, "demo/b").services, workload(&loaded, "demo/a").services);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let text = format!("\u{feff}services:\r\n- {}\r\n", service_yaml("web", "10.96.0.10"));
    assert_eq!(load_text(&text).snapshot.services().count(), 1);
}

#[test]
fn services_that_are_not_there_are_a_warning_however_many_name_them() {
    let workload =
        |n| format!("- {{name: w{n}, namespace: demo, workloadIps: [], services: {{demo/web: {{}}}}}}\n");
    let loaded = load_text(&format!("workloads:\n{}", (0..3).map(workload).collect::<String>()));
    let [warning] = &*loaded.warnings else { unreachable!("{:?}", loaded.warnings) };
    assert!(
        warning.contains("mesh.yaml:2: service `demo/web` is not defined, but 3 workload(s)"),
        "{warning}"
    );
    assert_eq!(loaded.snapshot.workloads().count(), 3);
}

#[test]
fn target_ports_for_ports_that_are_not_there_are_a_warning() {
    let service = service_yaml("web", "10.96.0.10");
    let loaded = load_text(&format!(
        "services: [{service}]\nworkloads:\n\
         - {{name: w, namespace: demo, workloadIps: [], services: {{demo/web: {{443: 8443}}}}}}\n"
    ));
    assert!(
        loaded.warnings[0].contains("mesh.yaml:3: service `demo/web` has no port 443"),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn a_target_port_that_is_left_to_the_workloads_may_be_missing_there() {
    let loaded = load_text(
        "services:\n\
         - {name: web, namespace: demo, hostname: web, vips: [], ports: {80: 0, 81: {targetPort: 0}, 82: 82}}\n\
         workloads:\n\
         - {name: a, namespace: demo, workloadIps: [], services: {demo/web: {80: 8080, 81: 8081}}}\n\
         - {name: b, namespace: demo, workloadIps: [], services: {demo/web: {81: 9081}}}\n",
    );
    let targets: Vec<_> = service(&loaded, "demo/web").ports.values().map(|port| port.target_port).collect();
    assert_eq!(targets, [0, 0, 82]);
    let [warning] = &*loaded.warnings else { unreachable!("{:?}", loaded.warnings) };
    let said =
        "mesh.yaml:5: service `demo/web` leaves the target port of 80 to its workloads, but 1 workload(s)";
    assert!(warning.contains(said), "{warning}");
}

#[test]
fn the_digest_follows_names_and_bytes_and_nothing_else() {
    let digest = |files| source::read(directory(files).path()).unwrap().digest();
    let first = digest(&[("a.yaml", "x"), ("b.yaml", "y")]);
    assert_eq!(first, digest(&[("a.yaml", "x"), ("b.yaml", "y")]));
    assert_ne!(first, digest(&[("a.yaml", "x"), ("b.yaml", "z")]));
    assert_ne!(first, digest(&[("a.yaml", "x"), ("c.yaml", "y")]));
    assert_ne!(first, digest(&[("a.yaml", ""), ("b.yaml", "xy")]));
}

#[test]
fn nothing_at_the_path() {
    let error = source::read(Path::new("/nonexistent/mesh.yaml")).unwrap_err();
    insta::assert_snapshot!(error, @"`/nonexistent/mesh.yaml` does not exist: create it, or name another file or directory");
}

#[test]
fn a_directory_without_yaml() {
    let directory = directory(&[("mesh.json", "{}")]);
    let error = source::read(directory.path()).unwrap_err();
    let message = error.to_string().replace(&*directory.path().to_string_lossy(), "DIR");
    insta::assert_snapshot!(message, @"the directory `DIR` holds no file that ends in .yaml or .yml: put one there");
}

#[test]
fn a_device_has_no_end() {
    let error = source::read(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(&error, SourceError::NotAFile { .. }), "{error:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_not_skipped() {
    let directory = directory(&[("a.yaml", "services: []")]);
    std::os::unix::fs::symlink("gone", directory.path().join("b.yaml")).unwrap();
    let error = source::read(directory.path()).unwrap_err();
    assert!(matches!(&error, SourceError::Read { path, .. } if path.ends_with("b.yaml")), "{error:?}");
}
