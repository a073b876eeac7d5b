//! One instance of tax, configured by its environment.

mod adapter;

use std::process::ExitCode;

use gossamer_kit::{Config, Kit, StartError};
use tax::rates::Rates;

gossamer_kit::contracts!();
use contracts::shop::tax::v1::tax_service_server::TaxServiceServer;

fn main() -> ExitCode {
    gossamer_kit::run(serve())
}

async fn serve() -> Result<(), StartError> {
    let config = Config::from_env()?; // 1 config
    let mut kit = Kit::new(config, contracts::DESCRIPTORS)?;
    let rates = Rates::built_in().expect("the program's own data is good: it is tested");
    kit.add(TaxServiceServer::new(adapter::Tax::new(rates))); // 2 service
    kit.serve().await?; // 3 serve
    kit.join().await; // 4 join
    kit.wait().await // 5 wait
}
