//! Stubs of what the kit itself calls and follows, and how a service takes in its own.

/// Makes a module `contracts` of what the build script has generated with `gossamer_codegen::contracts`: a module for each
/// part of a package's name, and `DESCRIPTORS`, which [`Kit::new`](crate::Kit::new) wants.
#[macro_export]
macro_rules! contracts {
    () => {
        #[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
        mod contracts {
            include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
            pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
        }
    };
}

mod all {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, dead_code)]
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

pub use all::envoy::service::discovery::v3 as envoy;
pub use all::google::rpc;
pub use all::gossamer::mesh::v1 as mesh;
