//! Generates the code from `proto/`, without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(
        [
            "evermesh/admin/v1/admin.proto",
            "envoy/service/discovery/v3/discovery.proto",
            "istio/workload/workload.proto",
            "istio/security/authorization.proto",
        ],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        // What is not copied where it is taken out of a response: there may be 100,000 in one.
        .bytes(".envoy")
        .bytes(".istio")
        .btree_map(".istio")
        .compile_fds(files)?;
    Ok(())
}
