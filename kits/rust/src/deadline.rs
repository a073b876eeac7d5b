//! How gRPC carries what is left of a call's time: the header grpc-timeout, up to eight digits and a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

const HEADER: &str = "grpc-timeout";

/// What the headers of a call say is left of its time.
pub fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Says in the headers of a call what is left of its time, rounded up.
pub fn set(headers: &mut HeaderMap, left: Duration) {
    const LONGEST: u128 = 99_999_999;
    let (micros, millis) = (left.as_nanos().div_ceil(1000), left.as_nanos().div_ceil(1_000_000));
    let text = if micros <= LONGEST {
        format!("{micros}u")
    } else if millis <= LONGEST {
        format!("{millis}m")
    } else {
        format!("{}S", left.as_secs().saturating_add(1).min(99_999_999))
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_again() {
        for (left, text) in [
            (Duration::from_millis(1500), "1500000u"),
            (Duration::from_mins(2), "120000m"),
            (Duration::from_hours(100), "360001S"),
        ] {
            let mut headers = HeaderMap::new();
            set(&mut headers, left);
            assert_eq!(headers[HEADER], text);
            assert!(of(&headers).unwrap() >= left);
        }
    }

    #[test]
    fn nonsense_is_no_deadline() {
        for bad in ["", "5", "S", "123456789S", "-1S", "1x"] {
            let headers =
                HeaderMap::from_iter([(http::header::HeaderName::from_static(HEADER), bad.parse().unwrap())]);
            assert_eq!(of(&headers), None, "{bad}");
        }
    }
}
