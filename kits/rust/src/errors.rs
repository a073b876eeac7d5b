//! The one error vocabulary: what an adapter returns, and what its caller gets to see of it.

use std::collections::HashMap;
use std::error::Error as StdError;

use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt as _;
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};

use crate::call::Call;
use crate::generated::rpc;
use crate::log;

/// A failure that a caller may know of. `?` makes it a status with an `ErrorInfo` whose domain is the package of the
/// contract, and with a `BadRequest` when there are fields.
#[derive(Debug)]
pub struct Error {
    /// The status of the call.
    pub code: Code,
    /// What went wrong, in `UPPER_SNAKE`, for programs.
    pub reason: String,
    /// The same for people.
    pub message: String,
    /// The fields of the request that are to blame: the path, such as items[0].quantity, and what is wrong with it.
    pub fields: Vec<(String, String)>,
    /// More, for programs.
    pub metadata: HashMap<String, String>,
}

impl Error {
    /// An error without fields and metadata.
    #[must_use]
    pub fn new(code: Code, reason: &str, message: &str) -> Self {
        let (reason, message) = (reason.to_owned(), message.to_owned());
        Self { code, reason, message, fields: Vec::new(), metadata: HashMap::new() }
    }

    /// What another service said when a call of it failed, and the domain of that; `None` where it did not say why.
    #[must_use]
    pub fn of(status: &Status) -> Option<(Self, String)> {
        let said = rpc::Status::decode(status.details()).ok()?;
        let info: rpc::ErrorInfo =
            said.details.iter().find_map(|detail| unpacked("google.rpc.ErrorInfo", detail))?;
        let request: Option<rpc::BadRequest> =
            said.details.iter().find_map(|detail| unpacked("google.rpc.BadRequest", detail));
        let violations = request.unwrap_or_default().field_violations.into_iter();
        let error = Self {
            code: status.code(),
            reason: info.reason,
            message: status.message().to_owned(),
            fields: violations.map(|each| (each.field, each.description)).collect(),
            metadata: info.metadata,
        };
        Some((error, info.domain))
    }

    /// What a caller of a contract of this package gets to see of it.
    pub(crate) fn into_status(self, domain: &str) -> Status {
        let info = rpc::ErrorInfo { reason: self.reason, domain: domain.to_owned(), metadata: self.metadata };
        let mut details = vec![packed("google.rpc.ErrorInfo", &info)];
        if !self.fields.is_empty() {
            let violation = |(field, description)| rpc::bad_request::FieldViolation {
                field,
                description,
                ..Default::default()
            };
            let request =
                rpc::BadRequest { field_violations: self.fields.into_iter().map(violation).collect() };
            details.push(packed("google.rpc.BadRequest", &request));
        }
        let status = rpc::Status { code: self.code as i32, message: self.message.clone(), details };
        Status::with_details(self.code, self.message, status.encode_to_vec().into())
    }
}

fn packed(name: &str, message: &impl prost::Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

fn unpacked<M: prost::Message + Default>(name: &str, any: &Any) -> Option<M> {
    any.type_url.rsplit('/').next().filter(|found| *found == name).and_then(|_| M::decode(&*any.value).ok())
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.reason, self.message)
    }
}

impl StdError for Error {}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let call = Call::current();
        error.into_status(call.as_ref().map_or("", |call| domain_of(&call.path)))
    }
}

/// The domain of errors of a method: shop.catalog.v1 for /shop.catalog.v1.CatalogService/GetProduct.
pub(crate) fn domain_of(path: &str) -> &str {
    let contract = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    contract.rsplit_once('.').map_or("", |(package, _)| package)
}

/// What a caller gets for a failure that no one expected: INTERNAL, with nothing of its text, which is logged with its
/// stack and the trace's id. For `map_err`.
#[must_use]
pub fn unexpected(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Status {
    let error = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    report(&text, &log::stack())
}

/// Logs what no one expected, and gives what the caller is told of it.
pub(crate) fn report(error: &str, stack: &str) -> Status {
    let call = Call::current();
    let path = call.as_ref().map_or("", |call| &call.path);
    tracing::error!(method = path, error, stack, "a handler failed unexpectedly");
    if let Some(call) = &call {
        call.context.span().add_event(
            "exception",
            vec![
                KeyValue::new("exception.message", error.to_owned()),
                KeyValue::new("exception.stacktrace", stack.to_owned()),
            ],
        );
    }
    Error::new(Code::Internal, "INTERNAL", "internal error").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_error_can_be_read_again() {
        let mut said = Error::new(Code::NotFound, "UNKNOWN", "no such product");
        said.fields.push(("items[0].product_id".to_owned(), "is unknown".to_owned()));
        said.metadata.insert("product_id".to_owned(), "x".to_owned());
        let (read, domain) = Error::of(&said.into_status("shop.catalog.v1")).expect("a reason");
        assert_eq!(
            (read.code, &*read.reason, &*read.message),
            (Code::NotFound, "UNKNOWN", "no such product")
        );
        assert_eq!(read.fields, [("items[0].product_id".to_owned(), "is unknown".to_owned())]);
        assert_eq!((&*read.metadata["product_id"], &*domain), ("x", "shop.catalog.v1"));
    }

    #[test]
    fn a_status_without_a_reason_has_none() {
        assert!(Error::of(&Status::unavailable("away")).is_none());
        assert!(Error::of(&Status::with_details(Code::Internal, "", vec![255].into())).is_none());
    }

    #[test]
    fn the_domain_of_an_error_is_the_package_of_its_contract() {
        assert_eq!(domain_of("/shop.catalog.v1.CatalogService/GetProduct"), "shop.catalog.v1");
        assert_eq!(domain_of("/Bare/Call"), "");
    }
}
