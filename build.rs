//! Tells the linker what the shared library is called, what makes attacks on it harder, and what OpenHarmony wants besides.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let env = std::env::var("CARGO_CFG_TARGET_ENV").unwrap_or_default();
    if os == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now,-z,noexecstack");
    }
    match (os.as_str(), env.as_str()) {
        ("linux", "ohos") => {
            // App packages hold lib*.so only, so the name carries no version there.
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libnetstack_websocket.so");
            // Its clang aligns for pages of 4 KiB, which a kernel with 16 KiB pages refuses.
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,max-page-size=16384");
            // Functions that are alike become one.
            println!("cargo:rustc-cdylib-link-arg=-Wl,--icf=all");
            // Its clang adds a second table of the symbols, which musl doesn't read beside this one.
            println!("cargo:rustc-cdylib-link-arg=-Wl,--hash-style=gnu");
        }
        ("linux", _) => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libnetstack_websocket.so.0"),
        _ => {}
    }
}
