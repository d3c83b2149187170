//! Endpoints that are addresses of the client's own pod: each is told from the others, and no other pod is needed.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use evermesh_chaos_tests::pod::Pod;
use socket2::{Domain, SockRef, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(5);

/// What a client meets: the address and port that its connection arrived at; `None`: it was refused.
pub type Met = Option<(IpAddr, u16)>;

/// The pod takes all of these addresses for its own.
pub fn make_local(pod: &Pod, networks: &[&str]) {
    for network in networks {
        let mut route = Command::new("ip");
        route.args(["route", "add", "local", network, "dev", "lo"]);
        pod.run(route).unwrap();
    }
}

/// Says to whoever connects where he has arrived. In the namespace of the thread that made it.
pub struct Listeners {
    ports: Vec<u16>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Listeners {
    pub fn new(ports: &[u16]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let serve = |&port: &u16| {
            let (listener, over) = (listener(port), over.clone());
            thread::spawn(move || say_where(&listener, &over))
        };
        Self { ports: ports.to_vec(), threads: ports.iter().map(serve).collect(), over }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for &port in &self.ports {
            let _ = TcpStream::connect((Ipv6Addr::LOCALHOST, port));
        }
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn listener(port: u16) -> TcpListener {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).unwrap();
    socket.listen(4096).unwrap();
    socket.into()
}

fn say_where(listener: &TcpListener, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let (mut client, _) = listener.accept().unwrap();
        if let Ok(at) = client.local_addr() {
            let at = SocketAddr::new(at.ip().to_canonical(), at.port());
            // Whoever is gone already does not want to know.
            let _ = client.write_all(at.to_string().as_bytes());
        }
    }
}

/// Connects by TCP and asks where that led to.
pub fn ask(target: SocketAddr) -> Met {
    match asked(target) {
        Ok(at) => Some((at.ip(), at.port())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => None,
        Err(error) => panic!("{target}: {error}"),
    }
}

fn asked(target: SocketAddr) -> io::Result<SocketAddr> {
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    // Leaves nothing behind that would keep the port.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    answer.parse().map_err(io::Error::other)
}
