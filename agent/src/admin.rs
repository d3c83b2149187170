mod resources;

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{fs::PermissionsExt as _, net},
    path::Path,
};

use evermesh_proto::admin::{
    SOCKET,
    v1::{
        GetStatusRequest, ListResourcesRequest, ReloadRequest, ReloadResponse, Status,
        admin_server::{Admin, AdminServer},
    },
};
use evermesh_xds_cache::Mesh;
use tokio::{
    net::UnixListener,
    sync::{mpsc, oneshot, watch},
};
use tokio_stream::{Iter, wrappers::UnixListenerStream};
use tonic::{Request, Response, transport::Server};
use tracing::error;

use crate::core::Outcome;
use resources::Pages;

/// Who asked for a reload, waiting for its outcome.
pub type Asked = oneshot::Sender<Outcome>;

/// The admin interface: what the core says about itself, a way to have it read the source, and what is known of a control
/// plane.
#[derive(Debug)]
pub struct Desk {
    status: watch::Receiver<Status>,
    reloads: mpsc::Sender<Asked>,
    meshes: Option<watch::Receiver<Mesh>>,
}

impl Desk {
    /// `meshes`: what is known of the control plane, where there is one.
    pub fn new(
        status: watch::Receiver<Status>,
        reloads: mpsc::Sender<Asked>,
        meshes: Option<watch::Receiver<Mesh>>,
    ) -> Self {
        Self { status, reloads, meshes }
    }

    /// Serves until the agent ends.
    pub async fn serve(self, listener: net::UnixListener) {
        let served = match UnixListener::from_std(listener) {
            Ok(listener) => Server::builder()
                .add_service(AdminServer::new(self))
                .serve_with_incoming(UnixListenerStream::new(listener))
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = served {
            error!(error, "the admin socket is not served: `evermesh status` shows the agent as silent");
        }
    }
}

#[tonic::async_trait]
impl Admin for Desk {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<Status>, tonic::Status> {
        Ok(Response::new(self.status.borrow().clone()))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, tonic::Status> {
        let ending = || tonic::Status::unavailable("the agent is ending");
        let (tell, told) = oneshot::channel();
        self.reloads.send(tell).await.map_err(|_| ending())?;
        let outcome = told.await.map_err(|_| ending())?;
        Ok(Response::new(outcome.into()))
    }

    type ListResourcesStream = Iter<Pages>;

    async fn list_resources(
        &self,
        _: Request<ListResourcesRequest>,
    ) -> Result<Response<Self::ListResourcesStream>, tonic::Status> {
        let files = || tonic::Status::failed_precondition("configuration comes from files");
        let mesh = self.meshes.as_ref().ok_or_else(files)?.borrow().clone();
        Ok(Response::new(tokio_stream::iter(Pages::of(mesh))))
    }
}

/// Makes the socket, for root alone, in the place of one that an earlier agent left: nobody ever finds none.
pub fn bind(run_dir: &Path) -> io::Result<net::UnixListener> {
    let path = run_dir.join(SOCKET);
    let aside = path.with_added_extension("new");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = net::UnixListener::bind(&aside)?;
    listener.set_nonblocking(true)?;
    fs::set_permissions(&aside, Permissions::from_mode(0o600))?;
    fs::rename(&aside, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_its_owner_alone_and_replaces_a_stale_one() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            drop(bind(dir.path()).unwrap());
            let mode = fs::metadata(dir.path().join(SOCKET)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }
}
