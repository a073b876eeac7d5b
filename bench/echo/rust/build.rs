//! Generates the stubs of the probe's contract.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gossamer_codegen::contracts(&["gossamer/probe/v1/probe.proto"])
}
