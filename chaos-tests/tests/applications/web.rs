//! HTTP: `curl`, and `nginx` as a server behind a service and as a proxy in front of one.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
};

use evermesh_chaos_tests::{netns::Netns, pod::Pod, process::Process, wait};

use crate::bench::{Bench, HTTP, OTHER, PATIENCE, SILENT, WEB, own, target};

/// Of the proxy in the client's pod.
const PROXY: u16 = 8000;

fn curl(pod: &Pod, arguments: &[&str]) -> String {
    let mut command = Command::new("/usr/bin/curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "5"]).args(arguments);
    pod.run(command).unwrap()
}

/// Starts nginx with one server, and waits until it listens at `address` in the pod.
fn nginx(pod: &Pod, http: &str, address: SocketAddr) -> Process {
    let configuration = pod.file(&format!("nginx-{}.conf", pod.name()));
    let head = "daemon off; master_process off; pid /dev/null; error_log stderr; events {}";
    fs::write(&configuration, format!("{head}\nhttp {{ access_log off; {http} }}\n")).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(configuration);
    let server = pod.spawn(&format!("nginx-{}", pod.name()), command).unwrap();
    let listens = || accepts(pod.netns(), address).then_some(());
    wait::until("nginx to listen", PATIENCE, listens).unwrap();
    server
}

fn accepts(netns: &Netns, address: SocketAddr) -> bool {
    netns.enter(|| Ok(TcpStream::connect(address).is_ok())).unwrap()
}

#[test]
fn curl_is_served_on_one_connection() {
    let bench = Bench::new();
    bench.run(|| {
        for frontend in WEB.both(HTTP) {
            let (url, form) = (format!("http://{frontend}/"), "%{remote_ip} %{num_connects}\n");
            let told = curl(&bench.client, &["--write-out", form, &url, &url]);
            let [first, how_first, second, how_second] = told.lines().collect::<Vec<_>>()[..] else {
                panic!("{told}")
            };
            assert!(first.starts_with("web-") && first == second, "{told}");
            assert_eq!(how_first, format!("{} 1", frontend.ip()));
            assert_eq!(how_second, format!("{} 0", frontend.ip()));
        }
    });
}

#[test]
fn nginx_behind_a_service_sees_its_client() {
    let bench = Bench::new();
    let port = target(SILENT);
    let server =
        format!("server {{ listen {port}; listen [::]:{port}; return 200 '$remote_addr $server_addr'; }}");
    let _nginx = nginx(&bench.other, &server, SocketAddr::new(bench.other.ipv4().into(), port));
    bench.run(|| {
        for frontend in OTHER.both(SILENT) {
            let told = curl(&bench.client, &[&format!("http://{frontend}/")]);
            assert_eq!(told, format!("{} {}", own(&bench.client, frontend), own(&bench.other, frontend)));
        }
    });
}

#[test]
fn nginx_proxies_to_a_virtual_ip() {
    let bench = Bench::new();
    bench.run(|| {
        let [v4, v6] = WEB.both(HTTP);
        let address = SocketAddr::new(bench.client.ipv4().into(), PROXY);
        let proxy = format!(
            "upstream web {{ server {v4}; server {v6}; keepalive 4; }}
             server {{
                 listen {PROXY};
                 location / {{
                     proxy_pass http://web;
                     proxy_http_version 1.1;
                     proxy_set_header Connection '';
                     add_header Upstream $upstream_addr;
                 }}
             }}"
        );
        let _nginx = nginx(&bench.client, &proxy, address);
        for upstream in [v4, v6, v4, v6] {
            let told = curl(&bench.other, &["--include", &format!("http://{address}/")]);
            assert!(told.contains(&format!("Upstream: {upstream}\r\n")), "{told}");
            assert!(told.contains("\r\n\r\nweb-"), "{told}");
        }
    });
}
