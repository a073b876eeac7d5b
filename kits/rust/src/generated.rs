//! Stubs of what the kit itself calls and follows.

mod all {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, dead_code)]
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

pub use all::envoy::service::discovery::v3 as envoy;
pub use all::google::rpc;
pub use all::gossamer::mesh::v1 as mesh;
