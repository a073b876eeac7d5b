//! What tax is due on what somebody buys: rates, and how what they give is rounded. Knows nothing of gRPC.

pub mod amount;
pub mod quote;
pub mod rates;
