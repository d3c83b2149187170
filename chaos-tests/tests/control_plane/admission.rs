//! Who is let in, and who is believed.

use std::fs;

use evermesh_chaos_tests::istiod::{Config, Istiod, Tls};
use tempfile::TempDir;

use crate::rig::{uid, with_istiod, workload};

#[test]
fn a_token_is_read_again_when_it_was_replaced() {
    let dir = TempDir::new().unwrap();
    let (token, root) = (dir.path().join("token"), dir.path().join("root.pem"));
    let tls = Tls::generate(&["localhost", "127.0.0.1"]).unwrap();
    fs::write(&token, "first\n").unwrap();
    fs::write(&root, tls.root_pem()).unwrap();
    let config = Config { tls: Some(tls), token: Some("first".into()), ..Config::default() };
    let istiod = Istiod::start(config).unwrap();
    let address = format!("localhost:{}", istiod.address().port());
    let flags = ["--xds-token", token.to_str().unwrap(), "--xds-root", root.to_str().unwrap()];
    with_istiod(istiod, &address, &flags, |rig| {
        rig.istiod.configure(|config| config.token = Some("second".into()));
        rig.istiod.stop();
        rig.istiod.start_again().unwrap();
        let link = rig.await_link("a refusal", |link| link.reason.is_some());
        let refused =
            |reason: &Option<String>| reason.as_ref().is_some_and(|reason| reason.contains("refused"));
        rig.await_link("to be turned away", |link| refused(&link.reason) || link.phase == "lost");
        assert_eq!(link.nacks, 0);
        fs::write(&token, "second\n").unwrap();
        rig.await_link("to be let in", |link| link.phase == "connected");
        rig.istiod.remove(&uid(&rig.stage.web[0]));
        rig.await_members(&[1, 2]);
        rig.istiod.put(workload(&rig.stage.web[0]));
        rig.await_members(&[0, 1, 2]);
    });
}

#[test]
fn a_control_plane_that_nobody_vouches_for_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("root.pem");
    let tls = Tls::generate(&["localhost"]).unwrap();
    fs::write(&root, tls.root_pem()).unwrap();
    let istiod = Istiod::start(Config { tls: Some(tls), ..Config::default() }).unwrap();
    let address = format!("localhost:{}", istiod.address().port());
    with_istiod(istiod, &address, &["--xds-root", root.to_str().unwrap()], |rig| {
        let other = Tls::generate(&["localhost"]).unwrap();
        rig.istiod.configure(|config| config.tls = Some(other));
        rig.istiod.stop();
        rig.istiod.remove(&uid(&rig.stage.web[0]));
        rig.istiod.start_again().unwrap();
        let link = rig.await_link("a reason", |link| {
            link.reason.as_ref().is_some_and(|reason| reason.contains("certificate"))
        });
        assert_eq!(link.phase, "lost");
        rig.await_members(&[0, 1, 2]);
    });
}
