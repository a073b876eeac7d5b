//! Generates the stubs of the service's contract.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gossamer_codegen::contracts(&["shop/tax/v1/tax.proto"])
}
