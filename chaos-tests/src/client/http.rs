use std::{io, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime, task, time};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The page at `/` of an HTTP/1.1 server.
pub fn fetch(target: SocketAddr) -> io::Result<String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = task::LocalSet::new();
    tasks.block_on(&runtime, async { time::timeout(TIMEOUT, get(target)).await? })
}

async fn get(target: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    task::spawn_local(connection);
    let request = Request::get("/").header(HOST, target.to_string()).body(Empty::<Bytes>::new());
    let response = sender.send_request(request.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
    let body = response.into_body().collect().await.map_err(io::Error::other)?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}
