//! A QUIC client and server, which drop datagrams from addresses that they do not know.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use quinn::{
    ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime,
    rustls::{
        RootCertStore,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    },
};

use crate::{
    bench::{Bench, OTHER, PATIENCE, QUIC, target},
    udp,
};

/// The name in the server's certificate.
const NAME: &str = "other.test";

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        Self { certificate: made.cert.into(), key: made.signing_key.serialize_der().into() }
    }

    fn server(&self) -> ServerConfig {
        let chain = vec![self.certificate.clone()];
        ServerConfig::with_single_cert(chain, self.key.clone_key().into()).unwrap()
    }

    fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::with_root_certificates(Arc::new(roots)).unwrap()
    }
}

fn endpoint(socket: UdpSocket, server: Option<ServerConfig>) -> Endpoint {
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime)).unwrap()
}

/// Sends every stream of every connection back.
async fn serve(server: Endpoint) {
    while let Some(incoming) = server.accept().await {
        let connection = incoming.await.unwrap();
        let (mut answers, mut questions) = connection.accept_bi().await.unwrap();
        answers.write_all(&questions.read_to_end(1 << 20).await.unwrap()).await.unwrap();
        answers.finish().unwrap();
        connection.closed().await;
    }
}

/// Sends so much that it takes many datagrams, and takes it back.
async fn ask(client: &Endpoint, target: SocketAddr) {
    let question = [7; 100_000];
    let connection = client.connect(target, NAME).unwrap().await.unwrap();
    assert_eq!(connection.remote_address(), target);
    let (mut questions, mut answers) = connection.open_bi().await.unwrap();
    questions.write_all(&question).await.unwrap();
    questions.finish().unwrap();
    assert!(answers.read_to_end(1 << 20).await.unwrap() == question);
}

#[test]
fn a_quic_client_is_served_by_the_virtual_ip() {
    let bench = Bench::new();
    let listen = || Ok(UdpSocket::bind(("::", target(QUIC))).unwrap());
    let server_socket = bench.other.netns().enter(listen).unwrap();
    bench.run(|| {
        let identity = Identity::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let talk = async {
            tokio::spawn(serve(endpoint(server_socket, Some(identity.server()))));
            for target in OTHER.both(QUIC) {
                let mut client = endpoint(udp::socket(target), None);
                client.set_default_client_config(identity.client());
                ask(&client, target).await;
            }
        };
        runtime.block_on(async { tokio::time::timeout(PATIENCE, talk).await }).unwrap();
    });
}
