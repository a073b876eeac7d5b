//! What a Rust service of the mesh is built on, as docs/kit.md says: configuration, a gRPC server, a place in Consul,
//! clients that follow the control plane without a proxy, telemetry, and an end that no caller notices.
//!
//! A main has five steps: read a [`Config`], make a [`Kit`] and add what is served, [`Kit::serve`], [`Kit::join`],
//! [`Kit::wait`].

mod backoff;
mod bootstrap;
mod budget;
mod call;
mod checks;
mod client;
mod config;
mod connection;
mod deadline;
mod drain;
mod errors;
mod generated;
mod health;
mod incoming;
mod kit;
mod log;
mod membership;
mod messages;
mod observe;
mod outgoing;
mod parse;
mod pings;
mod policies;
mod process;
mod rules;
mod server;
mod telemetry;
mod xds;

pub use bootstrap::Bootstrap;
pub use call::{Call, spawn};
pub use client::{Client, Clients};
pub use config::{Config, ConfigError, Discovery, Sampling};
pub use errors::{Error, unexpected};
pub use kit::{Kit, StartError};
pub use process::run;
