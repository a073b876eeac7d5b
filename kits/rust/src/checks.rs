//! The rules that contracts hold for messages (buf.validate), also those in CEL: every message of a call that comes in is
//! checked by them before anyone sees it.

use std::borrow::Cow;
use std::collections::HashMap;

use prost_protovalidate::types::{FieldConstraintsExt as _, MessageConstraintsExt as _};
use prost_protovalidate::{Error as Violated, ValidationOption, Validator, Violation};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};
use tonic::{Code, Status};

use crate::errors::{Error, domain_of};

/// The bytes of a message, above which only its first violation is looked for: a hostile one could keep a processor
/// busy for seconds.
const LARGE: usize = 4 << 10;
/// How many violations are told, since clients refuse an answer whose details are too large.
const MOST: usize = 20;

/// The rules of all messages that calls begin with, from the descriptors of the contracts.
pub struct Checks {
    validator: Validator,
    requests: HashMap<String, MessageDescriptor>,
    shapes: HashMap<String, bool>,
}

impl Checks {
    /// Reads the descriptors. Fails where they are none, or hold a rule that messages can't be checked by.
    pub fn new(descriptors: &[u8]) -> Result<Self, String> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| error.to_string())?;
        let (mut requests, mut shapes) = (HashMap::new(), HashMap::new());
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            shapes.insert(path.clone(), !method.is_client_streaming() && !method.is_server_streaming());
            requests.insert(path, method.input());
        }
        let checks = Self { validator: Validator::new(), requests, shapes };
        let written = |message: &MessageDescriptor| {
            !matches!(message.package_name(), "google.protobuf" | "buf.validate")
        };
        for message in pool.all_messages().filter(written) {
            checks.compile(message)?;
        }
        Ok(checks)
    }

    fn compile(&self, message: MessageDescriptor) -> Result<(), String> {
        let name = message.full_name().to_owned();
        match self.validator.validate(&DynamicMessage::new(message)) {
            Err(Violated::Compilation(error)) => {
                Err(format!("{name}: expected rules that its messages can be checked by: {}", error.cause))
            }
            _ => Ok(()), // whether an empty message is a good one is another matter
        }
    }

    /// Whether a method takes one message and gives one.
    pub fn is_unary(&self, path: &str) -> bool {
        self.shapes.get(path).copied().unwrap_or(false)
    }

    /// Checks a message that a call of a method sent.
    pub fn message(&self, path: &str, message: &[u8]) -> Result<(), Status> {
        let Some(descriptor) = self.requests.get(path) else { return Ok(()) };
        let mut decoded = DynamicMessage::decode(descriptor.clone(), message)
            .map_err(|error| Status::internal(format!("expected a {}: {error}", descriptor.full_name())))?;
        floor(&mut decoded);
        let brief: &[_] = if message.len() > LARGE { &[ValidationOption::FailFast] } else { &[] };
        match self.validator.validate_with(&decoded, brief) {
            Ok(()) => Ok(()),
            Err(Violated::Validation(found)) => {
                let mut error = Error::new(Code::InvalidArgument, "INVALID_REQUEST", "invalid request");
                let describe = |violation: &Violation| (violation.field_path(), text(violation, descriptor));
                error.fields = found.violations().iter().take(MOST).map(describe).collect();
                Err(error.into_status(domain_of(path)))
            }
            Err(other) => Err(crate::errors::report(&other.to_string(), "")),
        }
    }
}

/// Has nanoseconds of negative durations count upwards, as in timestamps: in CEL their sign gets lost, and half a second
/// less than none would be half a second.
fn floor(message: &mut DynamicMessage) {
    if message.descriptor().full_name() == "google.protobuf.Duration" {
        let number = |name| message.get_field_by_name(name).map(Cow::into_owned);
        if let (Some(Value::I64(seconds)), Some(Value::I32(nanos @ ..0))) =
            (number("seconds"), number("nanos"))
        {
            message.set_field_by_name("seconds", Value::I64(seconds.saturating_sub(1)));
            message.set_field_by_name("nanos", Value::I32(nanos.saturating_add(1_000_000_000)));
        }
    }
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(message) => floor(message),
            Value::List(values) => values.iter_mut().filter_map(Value::as_message_mut).for_each(floor),
            Value::Map(values) => values.values_mut().filter_map(Value::as_message_mut).for_each(floor),
            _ => {}
        }
    }
}

/// What is wrong, in the words of the contract. The validator leaves them out where a rule is for a whole message.
fn text(violation: &Violation, request: &MessageDescriptor) -> String {
    if !violation.message().is_empty() {
        return violation.message().to_owned();
    }
    let own = place(violation, request).and_then(|message| message.message_constraints().ok()?);
    let field = violation.field_descriptor().and_then(|field| field.field_constraints().ok()?);
    let rules = own.iter().flat_map(|rules| &rules.cel).chain(field.iter().flat_map(|rules| &rules.cel));
    let rule = rules.into_iter().find(|rule| rule.id() == violation.rule_id());
    match rule {
        Some(rule) if rule.message().is_empty() => format!("{:?} returned false", rule.expression()),
        Some(rule) => rule.message().to_owned(),
        None if violation.rule_path().starts_with("cel_expression") => {
            format!("{:?} returned false", violation.rule_id())
        }
        None => violation.rule_id().to_owned(),
    }
}

/// The message that a violation's path leads to.
fn place(violation: &Violation, request: &MessageDescriptor) -> Option<MessageDescriptor> {
    let path = violation.to_proto().field.unwrap_or_default();
    path.elements.iter().try_fold(request.clone(), |message, element| {
        let field = message.get_field_by_name(element.field_name())?;
        match field.kind().as_message()? {
            entry if field.is_map() => entry.map_entry_value_field().kind().as_message().cloned(),
            message => Some(message.clone()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACTS: &[u8] = include_bytes!("../../../gen/contracts.binpb");

    #[test]
    fn a_contract_with_a_rule_that_is_none_is_refused() {
        let (good, bad) = (b"!this.contains(' ')", b"!this.contains(' '!");
        let place = CONTRACTS.windows(good.len()).position(|bytes| bytes == good).unwrap();
        let mut contracts = CONTRACTS.to_vec();
        assert!(Checks::new(&contracts).is_ok());
        contracts[place..place + bad.len()].copy_from_slice(bad);
        let error = Checks::new(&contracts).err().unwrap();
        assert!(error.starts_with("gossamer.probe.v1.WaitRequest: expected rules"), "{error}");
        assert!(error.contains("!this.contains(' '!"), "{error}");
    }

    #[test]
    fn nanoseconds_of_negative_durations_count_upwards() {
        let floored = |seconds, nanos| {
            let pool = DescriptorPool::decode(CONTRACTS).unwrap();
            let message = |name| DynamicMessage::new(pool.get_message_by_name(name).unwrap());
            let mut duration = message("google.protobuf.Duration");
            duration.set_field_by_name("seconds", Value::I64(seconds));
            duration.set_field_by_name("nanos", Value::I32(nanos));
            let mut request = message("gossamer.probe.v1.WaitRequest");
            request.set_field_by_name("duration", Value::Message(duration));
            floor(&mut request);
            let duration = request.get_field_by_name("duration").unwrap();
            duration.as_message().unwrap().transcode_to::<prost_types::Duration>().unwrap()
        };
        assert_eq!(floored(0, -500_000_000), prost_types::Duration { seconds: -1, nanos: 500_000_000 });
        assert_eq!(floored(-2, 0), prost_types::Duration { seconds: -2, nanos: 0 });
        assert_eq!(floored(1, 500_000_000), prost_types::Duration { seconds: 1, nanos: 500_000_000 });
    }
}
