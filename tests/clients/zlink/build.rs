// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Generates a module for each description in packaging/varlink.

use std::path::PathBuf;
use std::{env, fs};

use zlink::idl::Interface;

fn main() {
    let descriptions = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../../packaging/varlink");
    println!("cargo:rerun-if-changed={}", descriptions.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let mut modules = String::new();
    for entry in fs::read_dir(descriptions).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let interface = Interface::try_from(text.as_str()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let family = interface.name().as_str().rsplit('.').next().unwrap().to_lowercase();
        let code = out.join(format!("{family}.rs"));
        fs::write(&code, zlink_codegen::generate_interface(&interface).unwrap()).unwrap();
        modules += &format!("#[path = {:?}]\npub mod {family};\n", code.to_str().unwrap());
    }
    fs::write(out.join("interfaces.rs"), modules).unwrap();
}
