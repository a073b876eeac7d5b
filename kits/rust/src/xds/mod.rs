//! Following the control plane: one stream of xDS (v3, all types on one stream, state of the world), what is known by
//! it, and which instance a call goes to.
//!
//! It is this kit's own, since tonic-xds 0.1.0-alpha.4 hangs where no instance is left, knows neither priorities nor
//! the weights of localities, and calls instances that refuse (docs/xds.md 7.4).

pub mod ads;
pub mod cluster;
pub mod outliers;
pub mod routes;
mod weighted;
