//! Links libkvlight and sets the name of the shared library.
//!
//! KVL_LIB_DIR is the folder of libkvlight; by default where `make build` puts it.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=KVL_LIB_DIR");
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release");
    let folder = env::var_os("KVL_LIB_DIR").map_or(built, Into::into);
    println!("cargo:rustc-link-arg=-L{}", folder.display());
    println!("cargo:rustc-link-arg=-lkvlight");
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').map_or("0", |(version, _)| version);
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system == "macos" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libkvlight_redis.dylib");
    } else if ["linux", "android", "freebsd"].contains(&system.as_str()) {
        // In the package of a language it finds the libkvlight that is beside it, unless the package has loaded that already.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN");
        // nodelete: its thread may still end while a host unloads its plugins.
        for option in [&format!("-soname,libkvlight_redis.so.{version}"), "-z,nodelete", "-z,relro", "-z,now"] {
            println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
        }
    }
}
