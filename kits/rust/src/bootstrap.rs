//! The xDS bootstrap: where the control plane is, and who asks it (gRFC A27).

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Value as Json;

use crate::generated::envoy::{Locality, Node};

/// What the kit takes from a bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// Where the control plane is, as `host:port`.
    pub control_plane: String,
    /// Whether calls are tried again here (metadata "gossamer.retries" = "kit").
    pub carries_retries: bool,
    pub(crate) node: Node,
}

impl Bootstrap {
    /// Reads a bootstrap in JSON; nothing if it names no control plane.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let read: Json = serde_json::from_str(text).ok()?;
        let uri = read["xds_servers"][0]["server_uri"].as_str().filter(|uri| !uri.is_empty())?;
        let bare = ["http://", "dns:///"].iter().find_map(|scheme| uri.strip_prefix(scheme)).unwrap_or(uri);
        let node = &read["node"];
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let locality = &node["locality"];
        Some(Self {
            control_plane: bare.to_owned(),
            carries_retries: node["metadata"]["gossamer.retries"] == "kit",
            node: Node {
                id: text(&node["id"]),
                cluster: text(&node["cluster"]),
                metadata: node["metadata"].as_object().map(to_struct),
                locality: Some(Locality {
                    region: text(&locality["region"]),
                    zone: text(&locality["zone"]),
                    sub_zone: text(&locality["sub_zone"]),
                }),
                user_agent_name: "gossamer-rust".to_owned(),
                user_agent_version: env!("CARGO_PKG_VERSION").to_owned(),
                client_features: vec!["envoy.lb.does_not_support_overprovisioning".to_owned()],
            },
        })
    }
}

fn to_struct(object: &serde_json::Map<String, Json>) -> Struct {
    let fields: BTreeMap<_, _> = object.iter().map(|(key, value)| (key.clone(), to_value(value))).collect();
    Struct { fields }
}

fn to_value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Json::String(value) => Kind::StringValue(value.clone()),
        Json::Array(values) => Kind::ListValue(ListValue { values: values.iter().map(to_value).collect() }),
        Json::Object(object) => Kind::StructValue(to_struct(object)),
    };
    Value { kind: Some(kind) }
}
