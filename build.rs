//! Gives the shared library its SONAME.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let env = std::env::var("CARGO_CFG_TARGET_ENV").unwrap_or_default();
    // On OpenHarmony app packages hold lib*.so only, so the name carries no version there.
    match (os.as_str(), env.as_str()) {
        ("linux", "ohos") => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libnetstack_websocket.so"),
        ("linux", _) => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libnetstack_websocket.so.0"),
        _ => {}
    }
}
