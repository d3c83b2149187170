//! A TCP connection that can be cut from the server's side, and says when it is gone.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{Notify, oneshot},
};
use tonic::transport::server::Connected;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Reset,
    Close,
}

/// The connection as the HTTP server uses it.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    cut: Option<oneshot::Receiver<Cut>>,
    gone: Arc<Notify>,
}

/// What may be done to it meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    cut: Arc<Mutex<Option<oneshot::Sender<Cut>>>>,
    go_away: Arc<Notify>,
    gone: Arc<Notify>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> (Self, Handle) {
        let (cut, cut_receiver) = oneshot::channel();
        let gone = Arc::new(Notify::new());
        let connection = Self { socket, cut: Some(cut_receiver), gone: gone.clone() };
        let handle = Handle { cut: Arc::new(Mutex::new(Some(cut))), go_away: Arc::new(Notify::new()), gone };
        (connection, handle)
    }

    /// Ready with an error once it has been cut.
    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(cut) = &mut self.cut else { return Poll::Pending };
        let Poll::Ready(cut) = Pin::new(cut).poll(context) else { return Poll::Pending };
        self.cut = None;
        match cut {
            Ok(Cut::Reset) => {
                self.socket.set_zero_linger()?;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            Ok(Cut::Close) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Err(_) => Poll::Pending,
        }
    }
}

impl Handle {
    pub(super) fn cut(&self, cut: Cut) {
        if let Some(sender) = self.cut.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = sender.send(cut);
        }
    }

    /// Has the HTTP server send a GOAWAY.
    pub(super) fn go_away(&self) {
        self.go_away.notify_one();
    }

    /// Until a GOAWAY is to be sent, or there is nobody left to send it to.
    pub(super) async fn served(&self) {
        tokio::select! {
            () = self.go_away.notified() => {}
            () = self.gone.notified() => {}
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gone.notify_one();
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(cut) = self.poll_cut(context) {
            return Poll::Ready(cut);
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
