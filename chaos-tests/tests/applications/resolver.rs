//! DNS: `dig`, and `dnsmasq` as the server behind a service and as a resolver.

use std::{net::SocketAddr, process::Command};

use evermesh_chaos_tests::{pod::Pod, process::Process, wait};

use crate::bench::{Bench, DNS, OTHER, PATIENCE, WEB, target};

/// The servers give their own address for it, as for all names that end so.
const NAME: &str = "who.test";
/// Of the resolver in the client's pod: where it is asked, and from where it asks.
const ASKED: u16 = 5301;
const ASKING: u16 = 5302;

fn dnsmasq(pod: &Pod, port: u16, options: &[String]) -> Process {
    let mut command = Command::new("/usr/sbin/dnsmasq");
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file"]);
    command.args(["--no-resolv", "--no-hosts", "--log-facility=-", &format!("--port={port}")]).args(options);
    let server = pod.spawn(&format!("dnsmasq-{}", pod.name()), command).unwrap();
    wait::until("dnsmasq to start", PATIENCE, || server.output().contains("started").then_some(())).unwrap();
    server
}

/// A server in each pod, which gives its pod's address.
fn servers(bench: &Bench) -> Vec<Process> {
    let serve = |pod: &Pod| dnsmasq(pod, target(DNS), &[format!("--address=/test/{}", pod.ipv4())]);
    bench.web.iter().chain([&bench.other]).map(serve).collect()
}

fn dig(pod: &Pod, arguments: &[&str]) -> String {
    let mut command = Command::new("/usr/bin/dig");
    command.args(["+tries=1", "+time=3"]).args(arguments);
    pod.run(command).unwrap()
}

fn addresses(pods: &[Pod]) -> Vec<String> {
    pods.iter().map(|pod| format!("{}\n", pod.ipv4())).collect()
}

#[test]
fn dig_asks_over_udp() {
    let bench = Bench::new();
    let _servers = servers(&bench);
    bench.run(|| {
        for target in WEB.both(DNS) {
            let at = format!("@{}", target.ip());
            assert!(addresses(&bench.web).contains(&dig(&bench.client, &[&at, NAME, "+short"])));
            let told = dig(&bench.client, &[&at, NAME]);
            assert!(told.contains(&format!("SERVER: {0}#53({0}) (UDP)", target.ip())), "{told}");
        }
    });
}

#[test]
fn dig_asks_over_tcp() {
    let bench = Bench::new();
    let _servers = servers(&bench);
    bench.run(|| {
        for target in WEB.both(DNS) {
            let told = dig(&bench.client, &[&format!("@{}", target.ip()), NAME, "+tcp"]);
            assert!(told.contains(&format!("SERVER: {0}#53({0}) (TCP)", target.ip())), "{told}");
        }
    });
}

#[test]
fn dnsmasq_asks_two_servers_from_one_socket() {
    let bench = Bench::new();
    let _servers = servers(&bench);
    bench.run(|| {
        let upstream = |domain: &str, server: SocketAddr| format!("--server=/{domain}/{}", server.ip());
        let options = [
            upstream("web.test", WEB.v4(DNS)),
            upstream("other.test", OTHER.v4(DNS)),
            format!("--query-port={ASKING}"),
            "--cache-size=0".into(),
        ];
        let _resolver = dnsmasq(&bench.client, ASKED, &options);
        let (resolver, port) = (format!("@{}", bench.client.ipv4()), ASKED.to_string());
        let ask = |name| dig(&bench.other, &[&resolver, "-p", &port, name, "+short"]);
        for _ in 0..5 {
            assert!(addresses(&bench.web).contains(&ask("who.web.test")));
            assert_eq!(ask("who.other.test"), addresses(std::slice::from_ref(&bench.other))[0]);
        }
    });
}
