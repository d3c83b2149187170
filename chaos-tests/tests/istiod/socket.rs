//! A client's socket that remembers whether its connection was reset. HTTP/2 does not tell: where a write is the first to hear of it, a stream
//! ends as where the other side has closed.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use evermesh_chaos_tests::istiod::Istiod;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tonic::{
    codegen::{BoxFuture, Service, http::Uri},
    transport::{Channel, Endpoint},
};

/// Whether some call was told so.
#[derive(Clone, Default)]
pub struct Reset(Arc<AtomicBool>);

impl Reset {
    pub fn is_known(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn hear<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled
            && error.kind() == io::ErrorKind::ConnectionReset
        {
            self.0.store(true, Ordering::Release);
        }
        polled
    }
}

pub async fn channel(istiod: &Istiod, reset: &Reset) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", istiod.address())).unwrap();
    let connector = Connector { address: istiod.address(), reset: reset.clone() };
    endpoint.connect_with_connector(connector).await.unwrap()
}

struct Connector {
    address: SocketAddr,
    reset: Reset,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, io::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let (address, reset) = (self.address, self.reset.clone());
        Box::pin(
            async move { Ok(TokioIo::new(Socket { socket: TcpStream::connect(address).await?, reset })) },
        )
    }
}

struct Socket {
    socket: TcpStream,
    reset: Reset,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        self.reset.hear(polled)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.reset.hear(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
