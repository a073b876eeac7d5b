//! Generates the stubs of what the kit itself calls, and of what it says in errors.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "gossamer/mesh/v1/mesh.proto",
        "gossamer/mesh/v1/traffic.proto",
        "google/rpc/code.proto",
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
        "xds.proto",
    ];
    gossamer_codegen::own(&files, Path::new("protos"))
}
