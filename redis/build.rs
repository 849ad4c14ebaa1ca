//! Sets how libkvlight_redis is linked: with libkvlight, and under which name.
//!
//! KVL_LIB_DIR is the folder of libkvlight; by default the one where `make build` puts it.

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
        // So that libkvlight_redis finds the libkvlight beside it in a language's package. If the package has loaded one already, the
        // loader takes that.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN");
        // nodelete: this library's thread may still be running when a host unloads the plugin that uses it.
        for option in [&format!("-soname,libkvlight_redis.so.{version}"), "-z,nodelete", "-z,relro", "-z,now"] {
            println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
        }
    }
}
