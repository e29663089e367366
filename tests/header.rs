//! `include/netstack_websocket.h` is what cbindgen makes of `src/ffi` today, and everything has one version.

use std::path::Path;

#[test]
fn the_committed_header_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = root.join("include/netstack_websocket.h");
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings = cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .expect("src/ffi can be read");
    let mut fresh = Vec::new();
    bindings.write(&mut fresh);
    let fresh = String::from_utf8(fresh).expect("UTF-8");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&header, &fresh).expect("include/ is writable");
    }
    let committed = std::fs::read_to_string(&header).expect("the header is there");
    assert!(committed == fresh, "the header is stale: run scripts/header");
}

#[test]
fn the_version_is_the_same_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let version = env!("CARGO_PKG_VERSION");
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    for (file, text) in [
        ("include/netstack_websocket.h", format!("#define NSWS_VERSION_MAJOR {major}\n")),
        ("include/netstack_websocket.h", format!("#define NSWS_VERSION_MINOR {minor}\n")),
        ("include/netstack_websocket.h", format!("#define NSWS_VERSION_PATCH {patch}\n")),
        ("CMakeLists.txt", format!("project(NetStackWebSocket VERSION {version} ")),
        ("ohos/napi/package.json", format!("\"version\": \"{version}\"")),
        ("CHANGELOG.md", format!("\n## {version}")),
        ("README.md", format!("find_package(NetStackWebSocket {major}.{minor} ")),
        ("scripts/release-readme.md", format!("find_package(NetStackWebSocket {major}.{minor} ")),
    ] {
        let content = std::fs::read_to_string(root.join(file)).expect("the file is there");
        assert!(content.contains(&text), "{file} does not have {text:?}");
    }
}
