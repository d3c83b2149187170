//! Sockets that stand while releases change, and what they are shown.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use evermesh_chaos_tests::{
    Result,
    stage::{
        Stage,
        config::{ANSWER, STREAM, WEB},
    },
};

const PATIENCE: Duration = Duration::from_secs(25);
const PAUSE: Duration = Duration::from_millis(5);

/// One of each kind that asks for the service and remembers it, by each address family.
pub struct Sockets(Vec<Family>);

struct Family {
    address: IpAddr,
    stream: TcpStream,
    connected: UdpSocket,
    free: UdpSocket,
}

impl Sockets {
    pub fn open(stage: &Stage) -> Result<Self> {
        let sockets = stage.client.enter(|| Self(WEB.map(|vip| open(vip.parse().unwrap())).into()))?;
        sockets.check();
        Ok(sockets)
    }

    /// The same peer, and answers that come from it.
    pub fn check(&self) {
        for Family { address, stream, connected, free } in &self.0 {
            let datagrams = SocketAddr::new(*address, ANSWER.port);
            assert_eq!(stream.peer_addr().unwrap(), SocketAddr::new(*address, STREAM.port));
            assert_eq!(connected.peer_addr().unwrap(), datagrams);
            let mut answer = [0; 1024];
            connected.send(b"hello").unwrap();
            assert!(connected.recv(&mut answer).unwrap() > 5);
            free.send_to(b"hello", datagrams).unwrap();
            assert_eq!(free.recv_from(&mut answer).unwrap().1, datagrams);
        }
    }

    /// Does that, and checks all the while: at both ends of a bridge too.
    pub fn checked_while<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let checks = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    self.check();
                    thread::sleep(PAUSE);
                }
            });
            let done = act();
            over.store(true, Ordering::Relaxed);
            checks.join().unwrap();
            self.check();
            done
        })
    }
}

fn open(address: IpAddr) -> Family {
    let datagrams = SocketAddr::new(address, ANSWER.port);
    let any =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let [connected, free] = [(); 2].map(|()| {
        let socket = UdpSocket::bind((any, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    connected.connect(datagrams).unwrap();
    let stream = TcpStream::connect((address, STREAM.port)).unwrap();
    Family { address, stream, connected, free }
}
