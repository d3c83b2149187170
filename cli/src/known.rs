//! What is known of what the control plane says: the agent says it, or where none answers, the disk.

use std::time::Duration;

use evermesh_agent::Unsupported;
use evermesh_model::{Policy, Service, Snapshot, Workload};
use evermesh_proto::admin::v1::{RefusedResource, Resource, resource::Kind};
use evermesh_xds_cache::{Conversion, OnUnsupported, cache};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Failure,
    args::{AsRun, Directories},
    process::agent::{self, Unheard},
};

/// How long the agent may take for each part of its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Everything that is known of a control plane.
#[derive(Debug)]
pub struct Known {
    /// Who knows it.
    pub from: Keeper,
    /// By kind and name.
    pub resources: Vec<Resource>,
    /// What is not understood.
    pub refused: Vec<RefusedResource>,
}

/// Who knows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// The agent that runs.
    Agent,
    /// The database in the state directory.
    Database,
}

/// Asks the agent, or looks on the disk.
pub fn read(directories: &Directories, as_run: &AsRun) -> Result<Known, Failure> {
    let reason = match agent::resources(&directories.run(), PATIENCE) {
        Ok(parts) => {
            let (resources, refused) = parts.into_iter().map(|part| (part.resources, part.refused)).unzip();
            let (resources, refused): (Vec<Vec<_>>, Vec<Vec<_>>) = (resources, refused);
            return Ok(Known {
                from: Keeper::Agent,
                resources: resources.concat(),
                refused: refused.concat(),
            });
        }
        Err(Unheard::NoControlPlane) => return Err(Failure::NoControlPlane),
        Err(Unheard::Silent(reason)) => Some(reason),
        Err(Unheard::Nobody) => None,
    };
    let Some(kept) = cache::read(&directories.state_dir, |kept| conversion(kept, as_run))? else {
        return Err(Failure::NothingKept { reason, path: directories.state_dir.join(cache::DIRECTORY) });
    };
    let listed = kept.mesh.names().into_iter().filter_map(|name| kept.mesh.listed(&name));
    let encoded = listed.map(|listed| {
        listed
            .encode()
            .map_err(|source| Failure::ForeignResource { name: listed.name.name.to_string(), source })
    });
    Ok(Known {
        from: Keeper::Database,
        resources: encoded.collect::<Result<_, _>>()?,
        refused: kept.mesh.listed_refused().collect(),
    })
}

/// As the agent did, where nothing else is asked for.
fn conversion(kept: Conversion, as_run: &AsRun) -> Conversion {
    let on_unsupported = as_run.on_unsupported.map(|on_unsupported| match on_unsupported {
        Unsupported::Warn => OnUnsupported::Warn,
        Unsupported::Refuse => OnUnsupported::Refuse,
    });
    Conversion {
        network: as_run.network.as_deref().map_or(kept.network, Into::into),
        on_unsupported: on_unsupported.unwrap_or(kept.on_unsupported),
    }
}

impl Known {
    /// The mesh that is in force.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        let services = self.all::<Service>(Kind::Service)?;
        let workloads = self.all::<Workload>(Kind::Workload)?;
        Ok(Snapshot::new(services, workloads, self.all::<Policy>(Kind::Policy)?)?)
    }

    fn all<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<T>, Failure> {
        self.resources.iter().filter(|resource| resource.kind() == kind).map(says).collect()
    }
}

/// What a resource says, in the form that is asked for.
pub fn says<T: DeserializeOwned>(resource: &Resource) -> Result<T, Failure> {
    let foreign = |source| Failure::ForeignResource { name: resource.name.clone(), source };
    serde_json::from_str(&resource.says).map_err(foreign)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use evermesh_proto::{
        admin::{
            SOCKET,
            v1::{
                GetStatusRequest, ListResourcesRequest, ListResourcesResponse, ReloadRequest, ReloadResponse,
                Status,
                admin_server::{Admin, AdminServer},
            },
        },
        discovery::{Packed, Resource as Wire},
        workload::{self, Address, address::Type},
    };
    use evermesh_xds_cache::{Kind as Subscribed, Said, cache};
    use prost::Message as _;
    use tempfile::TempDir;
    use tokio::{net::UnixListener, runtime::Runtime};
    use tokio_stream::wrappers::UnixListenerStream;
    use tonic::{Request, Response, codegen::BoxStream, transport::Server};

    use super::*;

    /// An agent that says this; nothing: it follows no control plane.
    struct Agent(Vec<ListResourcesResponse>);

    #[tonic::async_trait]
    impl Admin for Agent {
        async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<Status>, tonic::Status> {
            Ok(Response::new(Status::default()))
        }

        async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, tonic::Status> {
            Ok(Response::new(ReloadResponse::default()))
        }

        type ListResourcesStream = BoxStream<ListResourcesResponse>;

        async fn list_resources(
            &self,
            _: Request<ListResourcesRequest>,
        ) -> Result<Response<Self::ListResourcesStream>, tonic::Status> {
            if self.0.is_empty() {
                return Err(tonic::Status::failed_precondition("configuration comes from files"));
            }
            let parts: Vec<_> = self.0.iter().cloned().map(Ok).collect();
            Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
        }
    }

    fn directories(dir: &Path) -> Directories {
        let (state_dir, run_dir) = (dir.to_owned(), dir.to_owned());
        Directories { state_dir, bpffs: dir.join("bpf"), cgroup: None, run_dir }
    }

    fn known(dir: &TempDir) -> Result<Known, Failure> {
        read(&directories(dir.path()), &AsRun::default())
    }

    fn known_while_an_agent_says(parts: Vec<ListResourcesResponse>) -> Result<Known, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(dir.path().join(SOCKET)).unwrap()
        };
        let server = Server::builder().add_service(AdminServer::new(Agent(parts)));
        runtime.spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        known(&dir)
    }

    fn part(name: &str) -> ListResourcesResponse {
        let resource = Resource { name: name.into(), ..Resource::default() };
        ListResourcesResponse { resources: vec![resource], refused: vec![RefusedResource::default()] }
    }

    #[test]
    fn the_agent_that_runs_says_it_in_parts() {
        let known = known_while_an_agent_says(vec![part("a"), part("b")]).unwrap();
        let names: Vec<_> = known.resources.iter().map(|resource| resource.name.as_str()).collect();
        assert_eq!((known.from, names, known.refused.len()), (Keeper::Agent, vec!["a", "b"], 2));
    }

    #[test]
    fn an_agent_with_files_knows_of_no_control_plane() {
        assert!(matches!(known_while_an_agent_says(vec![]), Err(Failure::NoControlPlane)));
    }

    #[test]
    fn what_is_on_the_disk_is_converted_as_by_the_last_agent_unless_otherwise_asked() {
        let kept = || Conversion { network: "n1".into(), on_unsupported: OnUnsupported::Refuse };
        assert_eq!(conversion(kept(), &AsRun::default()), kept());
        let asked = AsRun { network: Some(String::new()), on_unsupported: Some(Unsupported::Warn) };
        assert_eq!(conversion(kept(), &asked), Conversion::default());
    }

    #[test]
    fn without_an_agent_it_is_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = known(&dir).unwrap_err().to_string();
        assert!(nothing.starts_with("nothing is known of a control plane: no agent answers"), "{nothing}");

        let mut opened = cache::open(dir.path(), Conversion::default());
        let uid = "demo/web-1".to_owned();
        let wire = workload::Workload { uid: uid.clone(), ..workload::Workload::default() };
        let value = Address { r#type: Some(Type::Workload(wire)) }.encode_to_vec().into();
        let resource = Some(Packed { type_url: Subscribed::Address.type_url().into(), value });
        let resources = vec![Wire { name: uid.clone(), resource, ..Wire::default() }];
        let said = Said { kind: Subscribed::Address, resources, removed: vec![], everything: true };
        opened.keeper.remember(&opened.mesh.take(said).changed);
        opened.keeper.keep();
        drop(opened);

        let known = known(&dir).unwrap();
        assert_eq!((known.from, known.resources[0].name.as_str()), (Keeper::Database, uid.as_str()));
        assert_eq!(known.snapshot().unwrap().workloads().next().unwrap().uid.as_str(), uid);
    }
}
