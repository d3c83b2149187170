use std::{fs, io, path::Path, time::Duration};

use evermesh_handover::RunDir;
use evermesh_proto::admin::{
    LAST_STATUS, SOCKET,
    v1::{GetStatusRequest, ListResourcesRequest, ListResourcesResponse, Status, admin_client::AdminClient},
};
use prost::Message as _;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use super::{Heard, Life};

/// What the agent says about itself, or said last.
pub fn heard(run_dir: &RunDir, patience: Duration) -> Heard<Status> {
    match ask(&run_dir.path().join(SOCKET), patience) {
        Ok(status) => Heard { life: Life::Running, word: Some(status) },
        Err(Unheard::Nobody) => {
            let word = last_words(run_dir);
            Heard { life: if word.is_some() { Life::Dead } else { Life::Absent }, word }
        }
        Err(Unheard::Silent(reason)) => Heard { life: Life::Silent(reason), word: last_words(run_dir) },
        // A status is given in any case.
        Err(Unheard::NoControlPlane) => Heard { life: Life::Running, word: None },
    }
}

/// What the agent leaves in the run directory.
pub const FILES: [&str; 2] = [SOCKET, LAST_STATUS];

/// Why the agent does not say what it knows of the control plane.
#[derive(Debug)]
pub enum Unheard {
    /// No agent runs.
    Nobody,
    /// It does not answer, or not that.
    Silent(String),
    /// It follows none.
    NoControlPlane,
}

/// What the agent knows of the control plane, in parts. It may take so long for each.
pub fn resources(run_dir: &RunDir, patience: Duration) -> Result<Vec<ListResourcesResponse>, Unheard> {
    let socket = run_dir.path().join(SOCKET);
    reached(&socket)?;
    within_runtime(list(&socket, patience))
}

/// No resource of a control plane is larger, and those of many make more than one part.
const PART_MAX: usize = 64 << 20;

async fn list(socket: &Path, patience: Duration) -> Result<Vec<ListResourcesResponse>, Unheard> {
    let late = |_| Unheard::Silent(format!("no answer within {} ms", patience.as_millis()));
    let mut client = AdminClient::new(channel(socket).await?).max_decoding_message_size(PART_MAX);
    let opened = tokio::time::timeout(patience, client.list_resources(ListResourcesRequest {})).await;
    let mut parts = opened.map_err(late)?.map_err(|status| refused(&status))?.into_inner();
    let mut all = Vec::new();
    loop {
        match tokio::time::timeout(patience, parts.message()).await.map_err(late)? {
            Ok(Some(part)) => all.push(part),
            Ok(None) => return Ok(all),
            Err(status) => return Err(refused(&status)),
        }
    }
}

fn ask(socket: &Path, patience: Duration) -> Result<Status, Unheard> {
    reached(socket)?;
    within_runtime(async {
        match tokio::time::timeout(patience, status(socket)).await {
            Ok(answer) => answer,
            Err(_) => Err(Unheard::Silent(format!("no answer within {} ms", patience.as_millis()))),
        }
    })
}

/// Tells the one who is not there from the one who does not answer.
fn reached(socket: &Path) -> Result<(), Unheard> {
    match std::os::unix::net::UnixStream::connect(socket) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Unheard::Nobody,
            _ => Unheard::Silent(format!("{}: {error}", socket.display())),
        }),
    }
}

fn within_runtime<T>(work: impl Future<Output = Result<T, Unheard>>) -> Result<T, Unheard> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Unheard::Silent(format!("cannot start a runtime: {error}")))?.block_on(work)
}

async fn channel(socket: &Path) -> Result<Channel, Unheard> {
    let silent = |error: tonic::transport::Error| Unheard::Silent(error.to_string());
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).map_err(silent)?;
    endpoint.connect().await.map_err(silent)
}

async fn status(socket: &Path) -> Result<Status, Unheard> {
    let mut client = AdminClient::new(channel(socket).await?);
    let answer = client.get_status(GetStatusRequest {}).await;
    answer.map(tonic::Response::into_inner).map_err(|status| refused(&status))
}

fn refused(status: &tonic::Status) -> Unheard {
    match status.code() {
        Code::Unimplemented => Unheard::Silent("it is of another release".into()),
        Code::FailedPrecondition => Unheard::NoControlPlane,
        _ => Unheard::Silent(status.message().to_owned()),
    }
}

/// None when there are none, or when they cannot be read: they are no more than a help.
fn last_words(run_dir: &RunDir) -> Option<Status> {
    let bytes = fs::read(run_dir.path().join(LAST_STATUS)).ok()?;
    Status::decode(bytes.as_slice()).ok()
}
