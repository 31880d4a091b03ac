// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Generates a module for each description in packaging/varlink.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let descriptions = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../../packaging/varlink");
    println!("cargo:rerun-if-changed={}", descriptions.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let mut modules = String::new();
    for entry in fs::read_dir(descriptions).unwrap() {
        let path = entry.unwrap().path();
        let interface = path.file_stem().unwrap().to_str().unwrap().to_owned(); // io.netbroker.Link
        let family = interface.rsplit('.').next().unwrap().to_lowercase();
        let mut code = Vec::new();
        let description = &mut fs::File::open(&path).unwrap();
        varlink_generator::generate(description, &mut code, false).unwrap_or_else(|why| panic!("{interface}: {why}"));
        fs::write(out.join(format!("{family}.rs")), code).unwrap();
        modules += &format!("pub mod {family} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{family}.rs\")); }}\n");
    }
    fs::write(out.join("interfaces.rs"), modules).unwrap();
}
