//! An agent that follows a real Istiod, on a real node.

use std::{collections::BTreeSet, fs, time::Instant};

use evermesh_chaos_tests::wait;
use evermesh_cluster::{Cluster, Istiod};
use serde_json::Value;
use tempfile::TempDir;

use super::{follower::Follower, program, trust, world};
use crate::scene::{PATIENCE, Pod, pods};

/// Pods of the namespace `mesh` that are there from the beginning, and one that comes.
pub const FIRST: &str = "web-1";
pub const SECOND: &str = "web-2";
const THIRD: &str = "web-3";

const RESTARTS: usize = 3;
/// So many that each of three is met.
const CONVERSATIONS: usize = 60;

/// What a test plays with.
pub struct Rig<'a> {
    pub cluster: &'a Cluster,
    pub istiod: &'a mut Istiod,
    pub follower: Follower<'a>,
}

/// Runs `act` on a node that follows an Istiod; `flags` say where that is.
pub fn with_rig(flags: impl FnOnce(&Cluster, &Istiod) -> Vec<String>, act: impl FnOnce(&mut Rig<'_>)) {
    let Some(program) = program() else { return };
    let cluster = Cluster::up(2).unwrap();
    let mut istiod = cluster.istiod(&program).unwrap();
    world::make(&cluster);
    let began = Instant::now();
    let follower = Follower::start(&cluster, flags(&cluster, &istiod));
    let mut rig = Rig { cluster: &cluster, istiod: &mut istiod, follower };
    rig.await_members(&[FIRST, SECOND]);
    println!("from nothing to full tables: {:?}", began.elapsed());
    act(&mut rig);
    drop(rig);
    drop(istiod);
    cluster.close().unwrap();
}

pub fn plain(_: &Cluster, istiod: &Istiod) -> Vec<String> {
    vec![format!("--xds-address=http://{}", istiod.address())]
}

#[test]
fn what_a_real_istiod_says_is_what_traffic_obeys() {
    with_rig(plain, |rig| {
        rig.cluster_ip_from(FIRST).unwrap_err();
        rig.enrol(FIRST);
        rig.expect_answers(&[FIRST, SECOND]);
        rig.expect_all_accepted();
        let known = rig.follower.known();
        let name = |resource: &Value| resource["name"].as_str().unwrap().to_owned();
        let names: BTreeSet<String> = known["resources"].as_array().unwrap().iter().map(name).collect();
        for wanted in [world::WEB, &world::workload("mesh", FIRST), &world::workload("plain", FIRST)] {
            assert!(names.contains(wanted), "{wanted}: {names:?}");
        }

        world::add_pod(rig.cluster, ("mesh", THIRD), "node1");
        rig.await_members(&[FIRST, SECOND, THIRD]);
        rig.expect_answers(&[FIRST, SECOND, THIRD]);
        world::set_ready(rig.cluster, ("mesh", THIRD), false);
        rig.await_members(&[FIRST, SECOND]);
        rig.expect_answers(&[FIRST, SECOND]);
        world::set_ready(rig.cluster, ("mesh", THIRD), true);
        rig.await_members(&[FIRST, SECOND, THIRD]);
        world::set_ready(rig.cluster, ("mesh", SECOND), false);
        world::delete(rig.cluster, &["pod/web-1"]);
        rig.await_members(&[THIRD]);
        rig.enrol(THIRD);
        rig.expect_answers_to(THIRD, &[THIRD]);
        rig.expect_all_accepted();
    });
}

#[test]
fn a_real_istiod_that_comes_back_with_nothing_new_has_nothing_written() {
    with_rig(plain, |rig| {
        let (agent, writes) = (rig.follower.agent(), rig.follower.writes());
        for _ in 0..RESTARTS {
            let acks = rig.follower.link()["acks"].as_u64().unwrap();
            rig.istiod.stop().unwrap();
            rig.await_link("the loss of the control plane", |link| link["phase"] == "lost");
            rig.istiod.start_again().unwrap();
            let began = Instant::now();
            // One response for each kind.
            rig.await_link("a control plane that has said everything", |link| {
                link["phase"] == "connected" && link["acks"].as_u64().unwrap() >= acks + 2
            });
            let received = rig.follower.received().unwrap();
            println!("synced {:?} after it served again, by {received} bytes", began.elapsed());
        }
        assert_eq!((rig.follower.agent(), rig.follower.writes()), (agent, writes));
        rig.await_members(&[FIRST, SECOND]);
        rig.expect_all_accepted();
    });
}

#[test]
fn a_node_starts_without_its_real_istiod_and_catches_up_with_it() {
    with_rig(plain, |rig| {
        rig.enrol(FIRST);
        rig.istiod.stop().unwrap();
        rig.await_link("the loss of the control plane", |link| link["phase"] == "lost");
        rig.follower.kill_agent();
        assert_eq!(rig.follower.writes(), 0, "a restart has nothing to write");
        rig.await_members(&[FIRST, SECOND]);
        rig.expect_answers(&[FIRST, SECOND]);

        rig.follower.stop();
        rig.follower.uninstall();
        rig.cluster_ip_from(FIRST).unwrap_err();
        let began = Instant::now();
        rig.follower.start_again();
        rig.await_members(&[FIRST, SECOND]);
        println!("from the disk to full tables: {:?}", began.elapsed());
        rig.enrol(FIRST);
        rig.expect_answers(&[FIRST, SECOND]);

        world::delete(rig.cluster, &["pod/web-2"]);
        world::add_pod(rig.cluster, ("mesh", THIRD), "node2");
        rig.istiod.start_again().unwrap();
        let began = Instant::now();
        rig.await_members(&[FIRST, THIRD]);
        println!("caught up {:?} after it served again", began.elapsed());
        assert!(rig.follower.writes() > 0, "what changes is written, and counted");
        rig.expect_answers(&[FIRST, THIRD]);
        rig.expect_all_accepted();
    });
}

#[test]
fn a_real_istiod_is_followed_over_tls_by_who_has_a_token() {
    let dir = TempDir::new().unwrap();
    let (root, token) = (dir.path().join("root.pem"), dir.path().join("token"));
    let secure = |cluster: &Cluster, istiod: &Istiod| {
        let trust = trust(cluster);
        fs::write(&root, trust.root).unwrap();
        fs::write(&token, trust.token.unwrap()).unwrap();
        let address = format!("{}:{}", Istiod::NAME, istiod.secure_address().port());
        let files = [format!("--xds-root={}", root.display()), format!("--xds-token={}", token.display())];
        [vec![format!("--xds-address={address}")], files.to_vec()].concat()
    };
    with_rig(secure, |rig| {
        rig.enrol(FIRST);
        rig.expect_answers(&[FIRST, SECOND]);
        world::set_ready(rig.cluster, ("mesh", SECOND), false);
        rig.await_members(&[FIRST]);
        rig.expect_answers(&[FIRST]);
        rig.expect_all_accepted();

        let good = fs::read(&token).unwrap();
        fs::write(&token, "no token").unwrap();
        rig.istiod.stop().unwrap();
        rig.istiod.start_again().unwrap();
        let refused = "authentication failure";
        rig.await_link("a word that the token is refused", |link| {
            link["phase"] == "lost"
                && link["reason"].as_str().is_some_and(|why| why.to_lowercase().contains(refused))
        });
        rig.await_members(&[FIRST]);
        world::set_ready(rig.cluster, ("mesh", SECOND), true);
        fs::write(&token, good).unwrap();
        rig.await_members(&[FIRST, SECOND]);
        rig.expect_all_accepted();
    });
}

impl Rig<'_> {
    pub fn enrol(&self, pod: &str) {
        // One in another namespace may have the same name.
        let uid = self.of_pod(pod, "{.metadata.uid}");
        let pod: Pod = pods(self.cluster, "app=web").into_iter().find(|pod| pod.uid == uid).unwrap();
        self.follower.enrol(&pod.name, pod.process(self.cluster));
    }

    /// Waits until these pods, and no others, stand behind the services of the namespace `mesh`, and all else is as it was.
    fn await_members(&self, pods: &[&str]) {
        let wanted = self.table(pods);
        wait::until("the tables", PATIENCE, || (self.follower.endpoints() == wanted).then_some(()))
            .unwrap_or_else(|error| self.fail(&format!("{error}: not {wanted:#?}")));
    }

    /// `names` has no endpoints, and is left alone: Istiod does not say at which port of a workload UDP is served where a name
    /// stands for it.
    fn table(&self, pods: &[&str]) -> BTreeSet<String> {
        let behind_web = pods.iter().flat_map(|pod| {
            let address = self.address(pod);
            [(80, 8080), (9090, 8090)].map(|(port, target)| format!("{port} to {address}:{target}"))
        });
        let plain = format!("80 to {}:8080", self.of("plain", FIRST, "{.status.podIP}"));
        behind_web.chain([plain, "443 to 10.77.0.1:6443".to_owned()]).collect()
    }

    fn await_link(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let link = || Some(()).filter(|()| wanted(&self.follower.link()));
        wait::until(what, PATIENCE, link).unwrap_or_else(|error| self.fail(&error.to_string()));
    }

    pub fn fail(&self, why: &str) -> ! {
        let (status, endpoints) = (self.follower.status(), self.follower.endpoints());
        panic!("{why}\n{endpoints:#?}\n{status:#}\n{}", self.follower.log())
    }

    pub fn expect_all_accepted(&self) {
        let (link, known) = (self.follower.link(), self.follower.known());
        assert_eq!((&link["phase"], &link["nacks"]), (&"connected".into(), &0.into()), "{link:#}");
        assert!(
            link["acks"].as_u64().unwrap() >= 2 && link["refused"] == Value::Array(Vec::new()),
            "{link:#}"
        );
        assert_eq!((&known["from"], &known["refused"]), (&"agent".into(), &Value::Array(Vec::new())));
        println!("{} acks, {} resources", link["acks"], known["resources"].as_array().unwrap().len());
    }

    /// The first pod meets these behind the service, and nobody else.
    pub fn expect_answers(&self, pods: &[&str]) {
        self.expect_answers_to(FIRST, pods);
    }

    fn expect_answers_to(&self, client: &str, pods: &[&str]) {
        let answers = self.cluster_ip_from(client).unwrap();
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers.len(), CONVERSATIONS, "{answers:?}");
        assert_eq!(BTreeSet::from_iter(answers), pods.iter().copied().collect());
    }

    /// The names of those that a pod reaches behind the virtual IP of `web`, by connections that it opens one after the other.
    fn cluster_ip_from(&self, pod: &str) -> evermesh_cluster::Result<String> {
        let script = format!(
            "i=0; while [ $i -lt {CONVERSATIONS} ]; do nc -w 5 10.96.0.80 80 </dev/null || exit 1; i=$((i + 1)); done"
        );
        let shell = ["--", "/bin/busybox", "sh", "-c", &script];
        self.cluster.kubectl(&[&["exec", "--namespace=mesh", pod][..], &shell].concat())
    }

    /// Of a pod of the namespace `mesh`.
    pub fn address(&self, pod: &str) -> String {
        self.of_pod(pod, "{.status.podIP}")
    }

    fn of_pod(&self, pod: &str, path: &str) -> String {
        self.of("mesh", pod, path)
    }

    fn of(&self, namespace: &str, pod: &str, path: &str) -> String {
        let output = format!("--output=jsonpath={path}");
        self.cluster.kubectl(&["get", "--namespace", namespace, "pod", pod, &output]).unwrap()
    }
}
