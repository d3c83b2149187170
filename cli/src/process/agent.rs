use std::{fs, io, path::Path, time::Duration};

use evermesh_handover::RunDir;
use evermesh_proto::admin::{
    LAST_STATUS, SOCKET,
    v1::{GetStatusRequest, Status, admin_client::AdminClient},
};
use prost::Message as _;
use tonic::{Code, transport::Endpoint};

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
    }
}

/// What the agent leaves in the run directory.
pub const FILES: [&str; 2] = [SOCKET, LAST_STATUS];

enum Unheard {
    Nobody,
    Silent(String),
}

fn ask(socket: &Path, patience: Duration) -> Result<Status, Unheard> {
    let silent = |reason: String| Unheard::Silent(reason);
    // Tells the one who is not there from the one who does not answer.
    std::os::unix::net::UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Unheard::Nobody,
        _ => silent(format!("{}: {error}", socket.display())),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| silent(format!("cannot start a runtime: {error}")))?;
    let answer = runtime.block_on(async { tokio::time::timeout(patience, status(socket)).await });
    match answer {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(silent(error)),
        Err(_) => Err(silent(format!("no answer within {} ms", patience.as_millis()))),
    }
}

async fn status(socket: &Path) -> Result<Status, String> {
    let endpoint =
        Endpoint::from_shared(format!("unix://{}", socket.display())).map_err(|e| e.to_string())?;
    let channel = endpoint.connect().await.map_err(|e| e.to_string())?;
    match AdminClient::new(channel).get_status(GetStatusRequest {}).await {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) if status.code() == Code::Unimplemented => Err("it is of another release".into()),
        Err(status) => Err(status.message().to_owned()),
    }
}

/// None when there are none, or when they cannot be read: they are no more than a help.
fn last_words(run_dir: &RunDir) -> Option<Status> {
    let bytes = fs::read(run_dir.path().join(LAST_STATUS)).ok()?;
    Status::decode(bytes.as_slice()).ok()
}
