//! Applications that keep connected UDP sockets, as QUIC and resolvers do, while the agent takes endpoints away.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    path::Path,
    time::Duration,
};

use evermesh_chaos_tests::{
    mesh::Mesh,
    pod::Pod,
    sandbox::Sandbox,
    stage::{
        Stage,
        config::{self, ANSWER, WEB},
    },
    wait,
};
use evermesh_pins::host;
use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(10);
/// To each address; with three pods, one of them is left out once in 10^8.
const SOCKETS: usize = 48;
const NAME_LEN: usize = 16;
/// Who stays.
const STAYING: &str = "web-1";

/// A connected socket that is connected again where the kernel says that it is connected no more.
struct Application {
    socket: UdpSocket,
    target: SocketAddr,
    /// Who answered first.
    first: String,
    /// What it was told, each time that it had to connect again.
    told: Vec<Errno>,
}

impl Application {
    fn start(target: SocketAddr) -> Self {
        let socket = UdpSocket::from(Socket::new(Domain::for_address(target), Type::DGRAM, None).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(target).unwrap();
        let first = ask(&socket).unwrap();
        Self { socket, target, first, told: Vec::new() }
    }

    fn ask(&mut self) -> String {
        loop {
            match ask(&self.socket) {
                Ok(name) => return name,
                Err(error) => self.connect_again(&error),
            }
        }
    }

    fn await_move(&mut self) {
        wait::until("an application to move", PATIENCE, || (self.ask() == STAYING).then_some(())).unwrap();
        self.check();
    }

    /// The socket's error stays until it is read, so one that is connected again is told twice.
    fn check(&self) {
        let Self { target, first, told, .. } = self;
        let is_right = match told.as_slice() {
            [] => first == STAYING,
            [Errno::ECONNABORTED] | [Errno::EDESTADDRREQ, Errno::ECONNABORTED] => first != STAYING,
            _ => false,
        };
        assert!(is_right, "{target} by {first}: {told:?}");
    }

    fn connect_again(&mut self, error: &io::Error) {
        let errno = error.raw_os_error().map(Errno::from_raw).unwrap();
        assert!(matches!(errno, Errno::EDESTADDRREQ | Errno::ECONNABORTED), "{error}");
        self.told.push(errno);
        self.socket.connect(self.target).unwrap();
    }
}

fn ask(socket: &UdpSocket) -> io::Result<String> {
    let mut answer = [0; 64];
    socket.send(b"hello")?;
    socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..NAME_LEN]).trim_end_matches('\0').to_owned())
}

fn everywhere() -> [SocketAddr; 3] {
    let [v4, v6] = WEB;
    [v4, v6, &format!("::ffff:{v4}")].map(|ip| SocketAddr::new(ip.parse().unwrap(), ANSWER.port))
}

/// Starts applications in the client's pod, has `take_away` leave one endpoint, and waits until that one serves everybody.
/// The pods that were left out are alive all the time: nobody but the kernel tells their clients.
fn all_move(take_away: impl FnOnce(&mut Mesh<'_>, &str)) {
    let sandbox = Sandbox::new().unwrap();
    let stage = Stage::new(&sandbox).unwrap();
    let mut mesh = Mesh::start(&sandbox, &config::with(&stage.web), &[]).unwrap();
    stage.enrolled().try_for_each(|pod| mesh.pod_add(pod)).unwrap();
    let rest = config::with(stage.web.iter().filter(|pod| pod.name() == STAYING));
    in_hooked_cgroup(&sandbox, || {
        let mut applications = started(&stage.client);
        take_away(&mut mesh, &rest);
        applications.iter_mut().for_each(Application::await_move);
        assert!(applications.iter().any(|application| application.first == STAYING));
    });
    mesh.interrupt().unwrap();
    mesh.uninstall().unwrap();
    drop(stage);
    sandbox.close().unwrap();
}

fn started(client: &Pod) -> Vec<Application> {
    let start = || everywhere().into_iter().map(Application::start);
    client.netns().enter(|| Ok((0..SOCKETS).flat_map(|_| start()).collect())).unwrap()
}

/// Has the test's own process there meanwhile.
fn in_hooked_cgroup<T>(sandbox: &Sandbox, work: impl FnOnce() -> T) -> T {
    let within = sandbox.pods_cgroup().child("test");
    within.create().unwrap();
    let join = |directory: &Path| {
        fs::write(directory.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    };
    join(within.path());
    let done = work();
    join(&host::cgroup2_mount().unwrap().unwrap());
    done
}

#[test]
fn applications_move_when_their_endpoint_goes() {
    all_move(|mesh, rest| mesh.write_config(rest).unwrap());
}

#[test]
fn applications_move_when_their_endpoint_went_while_no_agent_ran() {
    all_move(|mesh, rest| {
        mesh.kill_both().unwrap();
        mesh.write_config(rest).unwrap();
        mesh.restart().unwrap();
    });
}
