//! Generates the stubs of contracts while a crate is built, from protos/, and with them the descriptors that the kit
//! needs: for reflection, for the shapes of methods and for the rules of their messages.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Generates stubs of contracts, which are named by their files below protos/, for example
/// `shop/catalog/v1/catalog.proto`. What each imports is generated as well.
///
/// For a build script. `OUT_DIR` has then `contracts.rs` with a module for each part of a package's name, and
/// `descriptors.bin`; `gossamer_kit::contracts!` takes in both. Fails where a contract is not found or is wrong.
pub fn contracts(files: &[&str]) -> Result<(), Box<dyn Error>> {
    generate(files, &[])
}

/// Generates stubs also of files that are no contracts of the repository, below a folder of the crate's own.
pub fn own(files: &[&str], folder: &Path) -> Result<(), Box<dyn Error>> {
    generate(files, &[folder.to_owned()])
}

fn generate(files: &[&str], own: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../protos");
    let includes = [own, &[protos.clone(), protos.join("vendor")]].concat();
    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin");
    tonic_prost_build::configure()
        .include_file("contracts.rs")
        .file_descriptor_set_path(&descriptors)
        .extern_path(".buf.validate", "no_code_needs_it") // rules are read from the descriptors
        .compile_protos(&files.iter().map(PathBuf::from).collect::<Vec<_>>(), &includes)?;
    for file in FileDescriptorSet::decode(&*fs::read(descriptors)?)?.file {
        for path in includes.iter().map(|folder| folder.join(file.name())).filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    Ok(())
}
