//! Listens, and serves each connection by an HTTP server of its own, so that each can be sent away or cut.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use socket2::{Domain, Socket, Type};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::oneshot,
};
use tokio_stream::StreamExt;
use tonic::transport::{Server, ServerTlsConfig};

use super::{
    Config, Error, call::Ads, connection::Connection, debounce::Pushes, lie::Lies, seen::Ledger, world::World,
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// What streams, connections and the owner share. It outlives the server.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) lies: Mutex<Lies>,
    pub(super) pushes: Pushes,
    config: Mutex<Config>,
    world: Mutex<World>,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        Self {
            ledger: Ledger::new(),
            lies: Mutex::default(),
            pushes: Pushes::default(),
            config: Mutex::new(config),
            world: Mutex::default(),
        }
    }

    pub(super) fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port that stays ours while nobody listens at it.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    _reserved: Socket,
}

impl Port {
    pub(super) fn reserve(wanted: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { action: "bind", address: wanted, source };
        let reserved = bound(wanted).map_err(failed)?;
        let address = reserved.local_addr().map_err(failed)?;
        let address = address.as_socket().ok_or_else(|| failed(io::ErrorKind::AddrNotAvailable.into()))?;
        Ok(Self { address, _reserved: reserved })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.address)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

/// Two sockets may have the same port as long as only one of them listens.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The server's thread. All its connections and streams end with it.
#[derive(Debug)]
pub(super) struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(shared: Arc<Shared>, port: &Port) -> Result<Self, Error> {
        let refused = |source| Error::Listen { action: "listen at", address: port.address, source };
        let listener = port.listen().map_err(refused)?;
        let tls = shared.config().tls.as_ref().map(|tls| ServerTlsConfig::new().identity(tls.identity()));
        let server = match tls {
            Some(tls) => Server::builder().tls_config(tls).map_err(|source| Error::Tls { source })?,
            None => Server::builder(),
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| Error::Start { what: "runtime", source })?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("istiod".to_owned())
            .spawn(move || run(&runtime, &shared, server, listener, stopped))
            .map_err(|source| Error::Start { what: "thread", source })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    runtime: &Runtime,
    shared: &Arc<Shared>,
    server: Server,
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            () = shared.pushes.run(|| shared.config().debounce) => {}
            () = accept(shared, server, listener) => {}
        }
    });
}

async fn accept(shared: &Arc<Shared>, server: Server, listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            shared.ledger.record(|seen| seen.connections += 1);
            tokio::spawn(serve(shared.clone(), server.clone(), socket));
        }
    }
}

/// Serves one connection. How it ends is the client's affair.
async fn serve(shared: Arc<Shared>, mut server: Server, socket: TcpStream) {
    let _ = socket.set_nodelay(true);
    let (connection, handle) = Connection::new(socket);
    let incoming = tokio_stream::once(Ok::<_, io::Error>(connection)).chain(tokio_stream::pending());
    let ads = Ads { shared, connection: handle.clone() };
    let _ = server.add_service(ads).serve_with_incoming_shutdown(incoming, handle.served()).await;
}
