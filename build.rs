//! Tells the linker where libtorch is, for every crate here that has a binary or tests.
//!
//! torch-sys publishes the folder through its `links` key, but neither the search path at run time (rpath) nor
//! any other linker flag reaches the crates that depend on it.

#[allow(
    clippy::disallowed_methods,
    reason = "some crates forbid reading the environment; a build script is told everything through it"
)]
fn main() {
    // Not `rerun-if-changed`: seen from the crates that share this file it names one that is not there, and cargo
    // would run it, and build them, every time.
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    // Absent under `--features tch/doc-only`, where nothing is linked.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath={lib}");
    }
}
