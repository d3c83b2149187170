use std::{convert::Infallible, io, net::TcpListener};

use http_body_util::Full;
use hyper::{
    Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net, runtime, task};

use super::Name;

/// Answers every request with the name and a line feed.
pub(super) fn serve(listener: TcpListener, name: Name) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let tasks = task::LocalSet::new();
    tasks.block_on(&runtime, accept(listener, name))
}

async fn accept(listener: TcpListener, name: Name) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = net::TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        task::spawn_local(converse(client, name));
    }
}

async fn converse(client: net::TcpStream, name: Name) {
    let service = service_fn(move |_: hyper::Request<Incoming>| async move {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!("{name}\n")))))
    });
    // A client that breaks off has counted that on its own side.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(client), service).await;
}
