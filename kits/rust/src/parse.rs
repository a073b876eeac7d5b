//! How single values of the environment are read. An error says what was expected.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A value, or what was expected in its place.
pub type Parsed<T> = Result<T, &'static str>;

/// Makes an empty value one that is not there.
pub fn optional<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl Fn(&str) -> Parsed<Option<T>> {
    move |value| if value.is_empty() { Ok(None) } else { parse(value).map(Some) }
}

#[allow(clippy::unnecessary_wraps, reason = "a parser like the others")]
pub fn text(value: &str) -> Parsed<String> {
    Ok(value.to_owned())
}

pub fn is_service_name(value: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    value.len() <= 63
        && value.starts_with(|first: char| first.is_ascii_lowercase())
        && value.bytes().all(inner)
        && !value.ends_with('-')
}

pub fn service_name(value: &str) -> Parsed<String> {
    if is_service_name(value) {
        Ok(value.to_owned())
    } else {
        Err("a service's name of lower-case letters, digits and dashes, such as catalog")
    }
}

pub fn label(value: &str) -> Parsed<String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins = value.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins && value.len() <= 128 && value.bytes().all(inner) {
        Ok(value.to_owned())
    } else {
        Err("up to 128 letters, digits, dots, dashes and underscores, such as v2")
    }
}

/// Accepts no name but localhost: what others resolve to is found out too late.
pub fn listen(value: &str) -> Parsed<SocketAddr> {
    let expected = "host:port with an IP address, such as 127.0.0.1:0";
    let (host, port) = host_and_port(value).ok_or(expected)?;
    let host = if host == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { host.parse::<IpAddr>() };
    Ok(SocketAddr::new(host.map_err(|_| expected)?, port))
}

/// Splits `host:port`, where an IPv6 address has brackets, which are taken off.
pub fn host_and_port(value: &str) -> Option<(&str, u16)> {
    let (host, port) = value.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, self::port(port)?)).filter(|_| !host.is_empty())
}

fn port(value: &str) -> Option<u16> {
    value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()))
}

pub fn advertise(value: &str) -> Parsed<IpAddr> {
    let address = value.parse::<IpAddr>().ok().filter(|address| !address.is_unspecified());
    address.ok_or("an IP address that others can reach, without a port, such as 10.0.0.7")
}

const LONGEST: f64 = 9.2e18; // nanoseconds, as many as Go can count

/// Reads a time as Go writes it: decimal numbers, each with its unit, such as 1m30s.
pub fn duration(value: &str) -> Parsed<Duration> {
    let expected = "a time above zero with its unit, such as 5s or 500ms";
    let (mut rest, mut nanoseconds) = (value, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|each: char| !each.is_ascii_digit() && each != '.').ok_or(expected)?;
        let (number, unit) = rest.split_at(digits);
        let end = unit.find(|each: char| each.is_ascii_digit() || each == '.').unwrap_or(unit.len());
        let scale = match &unit[..end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(expected),
        };
        nanoseconds += decimal(number).ok_or(expected)? * scale;
        rest = &unit[end..];
    }
    if (1.0..LONGEST).contains(&nanoseconds) {
        Ok(Duration::from_secs_f64(nanoseconds / 1e9))
    } else {
        Err(expected)
    }
}

/// Reads digits with at most one dot, and some digit.
fn decimal(value: &str) -> Option<f64> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    value.parse().ok().filter(|_| digits)
}

pub fn milliseconds(value: &str) -> Parsed<Duration> {
    let number = value.parse::<u64>().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.filter(|number| (1..1 << 31).contains(number));
    number.map(Duration::from_millis).ok_or("a number of milliseconds above zero, such as 200")
}

pub fn share(value: &str) -> Parsed<f64> {
    let share = decimal(value).filter(|share| *share <= 1.0 && !value.ends_with('.'));
    share.ok_or("a share from 0 to 1, such as 0.01")
}

pub fn sampler(value: &str) -> Parsed<String> {
    match value.strip_prefix("parentbased_").unwrap_or(value) {
        "always_on" | "always_off" | "traceidratio" => Ok(value.to_owned()),
        _ => Err("always_on, always_off or traceidratio, or one of these after parentbased_"),
    }
}

/// Reads how names become addresses: nothing for xDS, else `host:port`s by name.
pub fn discovery(value: &str) -> Parsed<Option<HashMap<String, Vec<String>>>> {
    let expected = "xds or static:name=host:port,..., such as static:catalog=127.0.0.1:5000";
    if value == "xds" {
        return Ok(None);
    }
    let mut addresses = HashMap::<String, Vec<String>>::new();
    for entry in value.strip_prefix("static:").ok_or(expected)?.split(',').filter(|entry| !entry.is_empty()) {
        let (name, address) = entry.split_once('=').ok_or(expected)?;
        let (_, port) = host_and_port(address).ok_or(expected)?;
        if port == 0 || !is_service_name(name) {
            return Err(expected);
        }
        addresses.entry(name.to_owned()).or_default().push(address.to_owned());
    }
    Ok(Some(addresses))
}

/// Accepts an address without its scheme, as Consul's own tools do.
pub fn url(value: &str) -> Parsed<String> {
    let expected = "an address such as http://127.0.0.1:8500";
    let value = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let parsed: http::Uri = value.parse().map_err(|_| expected)?;
    let authority = parsed.authority().ok_or(expected)?;
    let known = matches!(parsed.scheme_str(), Some("http" | "https"));
    let no_port = authority.as_str() == authority.host();
    if known && !authority.host().is_empty() && (no_port || authority.port_u16().is_some_and(|port| port > 0))
    {
        Ok(value)
    } else {
        Err(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_writes_them() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration(".5s"), Ok(Duration::from_millis(500)));
        for bad in ["", "5", "0s", "5 s", "1d", ".s", "-1s", "9999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_ipv6_address_has_brackets() {
        assert_eq!(host_and_port("[::1]:80"), Some(("::1", 80)));
        assert_eq!(host_and_port("::1:80"), None);
    }
}
