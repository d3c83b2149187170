use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use evermesh_proto::admin::{
    SOCKET,
    v1::{ReloadRequest, admin_client::AdminClient, reload_response::Outcome},
};
use tonic::transport::Endpoint;

use crate::sandbox::{MESH, Sandbox};

#[tokio::main(flavor = "current_thread")]
async fn reload(socket: &Path) -> Outcome {
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let answer = AdminClient::new(channel).reload(ReloadRequest {}).await.unwrap();
    answer.into_inner().outcome.unwrap()
}

#[test]
fn whoever_asks_for_a_reload_is_told_what_became_of_it() {
    let sandbox = Sandbox::new();
    let _running = sandbox.start();
    let socket = sandbox.path("run").join(SOCKET);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);

    let Outcome::Unchanged(first) = reload(&socket) else { panic!("nothing has changed") };
    sandbox.write_config("services: 7");
    let Outcome::Refused(refused) = reload(&socket) else { panic!("this is no mesh") };
    assert!(refused.reason.contains("mesh.yaml:1: services"), "{refused:?}");

    sandbox.write_config(&MESH.replace("10.244.0.11", "10.244.0.99"));
    // The agent may have seen the change by itself.
    let second = match reload(&socket) {
        Outcome::Applied(digest) | Outcome::Unchanged(digest) => digest,
        Outcome::Refused(refused) => panic!("{refused:?}"),
    };
    assert_ne!(first, second);
    let endpoints = sandbox.told(&sandbox.call(&["dump", "endpoints"]));
    assert!(endpoints.contains("10.244.0.99:8080"), "{endpoints}");
}
