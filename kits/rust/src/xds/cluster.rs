//! Which instance of a cluster a call goes to: the first level that can be reached, there one locality by its weight,
//! and in it one instance after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::client::conn::http2::SendRequest;
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;

use crate::connection::{Connection, State};
use crate::generated::envoy as xds;
use crate::xds::outliers::Calls;
use crate::xds::weighted;

/// The instances of a cluster as they were assigned last.
#[derive(Default)]
pub struct Cluster {
    levels: Vec<Level>,
    /// By address, so that a later assignment keeps them.
    connections: HashMap<String, Arc<Connection>>,
}

#[derive(Default)]
struct Level(Vec<Locality>);

#[derive(Default)]
struct Locality {
    weight: u32,
    members: Vec<Arc<Connection>>,
    turn: AtomicUsize,
}

/// What comes of looking for an instance.
pub enum Pick {
    /// It takes the call, which counts among its calls.
    Ready(SendRequest<Body>, Arc<Calls>),
    /// There may be one soon.
    Later,
    /// There is none.
    None(Status),
}

impl Cluster {
    /// Instances at these addresses, in turn.
    pub fn fixed(addresses: &[String], changed: &watch::Sender<()>) -> Self {
        let level = if addresses.is_empty() { Vec::new() } else { vec![(1, addresses.to_vec())] };
        Self::default().with(vec![level], changed)
    }

    /// The instances of an assignment. Connections to those that were there before stay.
    pub fn assigned(&self, said: &xds::ClusterLoadAssignment, changed: &watch::Sender<()>) -> Self {
        let mut levels: Vec<Vec<(u32, Vec<String>)>> = Vec::new();
        for group in &said.endpoints {
            let level = (group.priority as usize).min(127); // of which Envoy allows 128
            levels.resize_with(levels.len().max(level + 1), Vec::new);
            let healthy = group.lb_endpoints.iter().filter(|each| each.health_status <= 1);
            let addresses: Vec<_> = healthy.filter_map(address).collect();
            if !addresses.is_empty() {
                levels[level].push((group.load_balancing_weight.unwrap_or(1), addresses));
            }
        }
        self.with(levels, changed)
    }

    fn with(&self, said: Vec<Vec<(u32, Vec<String>)>>, changed: &watch::Sender<()>) -> Self {
        let mut connections = HashMap::new();
        let mut connect = |address: String| {
            let known = self.connections.get(&address).cloned();
            let made = connections.entry(address.clone()).or_insert_with(|| {
                known.unwrap_or_else(|| Arc::new(Connection::open(address, changed.clone())))
            });
            Arc::clone(made)
        };
        let mut locality = |(weight, addresses): (u32, Vec<String>)| {
            let turn = AtomicUsize::new(rand::random::<u32>() as usize); // processes begin apart
            Locality { weight, members: addresses.into_iter().map(&mut connect).collect(), turn }
        };
        let levels =
            said.into_iter().map(|level| Level(level.into_iter().map(&mut locality).collect())).collect();
        Self { levels, connections }
    }

    /// Looks for an instance.
    pub fn pick(&self) -> Pick {
        let mut why = "no instance".to_owned();
        for level in &self.levels {
            match level.pick() {
                Ok((sender, calls)) => return Pick::Ready(sender, calls),
                Err(None) if level.0.is_empty() => {}
                Err(None) => return Pick::Later,
                Err(Some(reason)) => why = reason,
            }
        }
        Pick::None(Status::unavailable(why))
    }

    /// The calls of its instances, level by level.
    pub fn calls(&self) -> impl Iterator<Item = Vec<&Calls>> {
        self.levels.iter().map(Level::calls)
    }
}

fn address(said: &xds::LbEndpoint) -> Option<String> {
    let socket = said.endpoint.as_ref()?.address.as_ref()?.socket_address.as_ref()?;
    let (host, port) = (&socket.address, socket.port_value);
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// An instance that takes the call, or why none does; without a reason there may be one soon.
type Found = Result<(SendRequest<Body>, Arc<Calls>), Option<String>>;

impl Level {
    fn calls(&self) -> Vec<&Calls> {
        self.0.iter().flat_map(|locality| &locality.members).map(|member| &*member.calls).collect()
    }

    fn pick(&self) -> Found {
        let first = weighted::choose(self.0.iter().map(|locality| locality.weight)).unwrap_or_default();
        let mut why = None;
        let mut later = false;
        for locality in self.0[first..].iter().chain(&self.0[..first]) {
            match locality.pick() {
                Ok(found) => return Ok(found),
                Err(None) => later = true,
                Err(reason) => why = reason,
            }
        }
        Err(why.filter(|_| !later))
    }
}

impl Locality {
    fn pick(&self) -> Found {
        let count = self.members.len();
        let mut why = None;
        let mut later = count == 0;
        for _ in 0..count {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let member = &self.members[turn % count];
            match member.state() {
                _ if member.calls.ejected() => why = Some("its calls failed, so it is left alone".to_owned()),
                State::Ready(sender) => return Ok((sender, Arc::clone(&member.calls))),
                State::Connecting => later = true,
                State::Failed(reason) => why = Some(reason),
            }
        }
        Err(why.filter(|_| !later))
    }
}
