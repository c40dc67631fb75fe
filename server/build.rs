//! Where rust-embed finds the web assets: the folder that `.ci/site.sh` fills, or an empty one, so that plain
//! `cargo check` works without them.

#![allow(clippy::disallowed_methods, reason = "a build script's input is its environment")]

use std::{env, fs, path::PathBuf};

fn main() {
    let site = env::var_os("ESE_SITE_DIR").map_or_else(
        || PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("empty-site"),
        PathBuf::from,
    );
    fs::create_dir_all(&site).expect("the folder of the web assets can be created");
    println!("cargo::rustc-env=ESE_SITE_DIR={}", site.display());
    println!("cargo::rerun-if-env-changed=ESE_SITE_DIR");
    println!("cargo::rerun-if-changed={}", site.display());
    println!("cargo::rerun-if-changed=build.rs");
}
