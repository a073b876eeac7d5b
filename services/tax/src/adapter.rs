//! The contract over the domain: one method an RPC, and no decision of its own. The kit has checked the rules of the
//! contract before.

use gossamer_kit::Error;
use tax::amount::{self, AmountError};
use tax::quote::{self, Taxed};
use tax::rates::Rates;
use tonic::{Code, Request, Response, Status};

use crate::contracts::google::r#type::Money;
use crate::contracts::shop::tax::v1::tax_service_server::TaxService;
use crate::contracts::shop::tax::v1::{Line, LineTax, QuoteRequest, QuoteResponse, Rounding};

/// Serves quotes.
pub struct Tax {
    rates: Rates,
}

impl Tax {
    pub fn new(rates: Rates) -> Self {
        Self { rates }
    }

    fn quoted(&self, request: &QuoteRequest) -> Result<QuoteResponse, Status> {
        let rounding = match request.rounding() {
            Rounding::Unspecified | Rounding::Line => quote::Rounding::Line,
            Rounding::Order => quote::Rounding::Order,
        };
        let local = self.rates.at(&request.country, &request.subdivision).ok_or_else(|| unknown(request))?;
        let currency = currency(&request.lines)?;
        let digits = amount::digits(currency);
        let mut lines = Vec::with_capacity(request.lines.len());
        for (index, line) in request.lines.iter().enumerate() {
            let net = line.net.clone().unwrap_or_default();
            let net =
                amount::smallest(net.units, net.nanos, digits).map_err(|error| not_taxable(index, error))?;
            lines.push(Taxed { net, rate: local.of(&line.category) });
        }
        let taxes = quote::taxes(&lines, rounding);
        let money = |smallest| {
            let (units, nanos) = amount::units_and_nanos(smallest, digits);
            Money { currency_code: currency.to_owned(), units, nanos }
        };
        let net: i64 = lines.iter().map(|line| line.net).sum();
        let tax: i64 = taxes.iter().sum();
        let shown = request.lines.iter().zip(&lines).zip(&taxes).map(|((asked, line), &tax)| LineTax {
            id: asked.id.clone(),
            rate_percent: line.rate.to_string(),
            tax: Some(money(tax)),
            gross: Some(money(line.net + tax)),
        });
        Ok(QuoteResponse {
            lines: shown.collect(),
            net: Some(money(net)),
            tax: Some(money(tax)),
            gross: Some(money(net + tax)),
            rates_source: local.source.name.clone(),
            rates_date: local.source.date.clone(),
        })
    }
}

#[tonic::async_trait]
impl TaxService for Tax {
    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteResponse>, Status> {
        Ok(Response::new(self.quoted(&request.into_inner())?))
    }
}

fn unknown(request: &QuoteRequest) -> Status {
    let place = if request.subdivision.is_empty() { &request.country } else { &request.subdivision };
    let message = format!("the rates of {place} are not known");
    let field = if request.subdivision.is_empty() { "country" } else { "subdivision" };
    let mut error = Error::new(Code::NotFound, "RATES_NOT_KNOWN", &message);
    error.fields.push((field.to_owned(), message));
    error.into()
}

/// The currency that all lines have.
fn currency(lines: &[Line]) -> Result<&str, Status> {
    let codes = || lines.iter().map(|line| line.net.as_ref().map_or("", |net| net.currency_code.as_str()));
    if let Some(index) = codes().position(|code| !amount::is_currency(code)) {
        let message = "expected a currency by ISO 4217, such as EUR";
        return Err(refused("INVALID_REQUEST", format!("lines[{index}].net.currency_code"), message));
    }
    let first = codes().next().unwrap_or_default();
    if let Some(other) = codes().find(|code| *code != first) {
        let message = format!("expected one currency, found {first} and {other}");
        return Err(Error::new(Code::FailedPrecondition, "CURRENCIES_MIXED", &message).into());
    }
    Ok(first)
}

fn not_taxable(index: usize, error: AmountError) -> Status {
    let reason = match error {
        AmountError::Invalid => "INVALID_REQUEST",
        AmountError::TooFine { .. } => "AMOUNT_TOO_FINE",
        AmountError::TooLarge => "AMOUNT_TOO_LARGE",
    };
    refused(reason, format!("lines[{index}].net"), &error.to_string())
}

fn refused(reason: &str, field: String, message: &str) -> Status {
    let mut error = Error::new(Code::InvalidArgument, reason, message);
    error.fields.push((field, message.to_owned()));
    error.into()
}
