//! `include/netstack_websocket.h` is what cbindgen makes of `src/ffi` today, in the order of a manual, and everything has
//! one version.

#[path = "header/manual.rs"]
mod manual;
#[path = "header/order.rs"]
mod order;

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What cbindgen makes.
fn generated() -> order::Pieces {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings = cbindgen::Builder::new()
        .with_crate(root())
        .with_config(config)
        .generate()
        .expect("src/ffi can be read");
    let mut text = Vec::new();
    bindings.write(&mut text);
    order::take_apart(&String::from_utf8(text).expect("UTF-8"), "#include <stdint.h>\n")
}

#[test]
fn the_committed_header_is_fresh() {
    let header = root().join("include/netstack_websocket.h");
    let fresh = order::put_together(&generated(), &root().join("src/ffi"));
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&header, &fresh).expect("include/ is writable");
    }
    let committed = std::fs::read_to_string(&header).expect("the header is there");
    assert!(committed == fresh, "the header is stale: run scripts/header");
}

#[test]
fn sorting_loses_no_item_and_doubles_none() {
    let pieces = generated();
    let sorted = order::put_together(&pieces, &root().join("src/ffi"));
    assert!(pieces.items.len() > 200, "cbindgen has found only {} items", pieces.items.len());
    for item in &pieces.items {
        let times = sorted.matches(&format!("\n{}\n", item.text)).count();
        assert_eq!(
            times, 1,
            "{} stands {times} times in the header: is its file in the table of order.rs?",
            item.name
        );
    }
}

#[test]
fn an_init_function_stands_beside_its_struct() {
    let pieces = generated();
    let header = order::put_together(&pieces, &root().join("src/ffi"));
    let inits = pieces.items.into_iter().filter(|item| item.name.ends_with("_init"));
    for init in inits {
        let (above, _) = header.split_once(&init.text).expect("it is in the header");
        let its = init.name.trim_end_matches("_init");
        assert!(above.ends_with(&format!("\n}} {its};\n\n")), "{} does not follow its struct", init.name);
    }
}

#[test]
fn every_function_has_a_complete_entry() {
    let items = generated().items;
    let entries: Vec<_> = items.iter().filter_map(manual::Entry::of).collect();
    let symbols = include_str!("symbols.txt").lines().filter(|line| line.starts_with("nsws_")).count();
    assert_eq!(entries.len(), symbols, "an export has no entry");
    let complaints: Vec<_> = entries.iter().flat_map(manual::Entry::complaints).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn codes_are_given_by_name() {
    let items = generated().items;
    let bare: Vec<_> = items.iter().flat_map(manual::bare_codes).collect();
    assert!(bare.is_empty(), "{bare:#?}");
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    each_has([
        ("include/netstack_websocket.h", format!("#define NSWS_VERSION_MAJOR {major}\n")),
        ("include/netstack_websocket.h", format!("#define NSWS_VERSION_MINOR {minor}\n")),
        ("include/netstack_websocket.h", format!("#define NSWS_VERSION_PATCH {patch}\n")),
        ("CMakeLists.txt", format!("project(NetStackWebSocket VERSION {version} ")),
        ("ohos/napi/package.json", format!("\"version\": \"{version}\"")),
        ("packaging/lycium/netstack-websocket/HPKBUILD", format!("\npkgver={version}\n")),
        ("packaging/vcpkg/netstack-websocket/vcpkg.json", format!("\"version\": \"{version}\"")),
        ("CHANGELOG.md", format!("\n## {version}")),
        ("docs/guide/install.md", format!("find_package(NetStackWebSocket {major}.{minor} ")),
        ("docs/guide/install.md", format!("netstack-websocket-{version}.tar.gz")),
        ("docs/guide/install.md", format!("\nnetstack-websocket/{version}\n")),
        ("docs/guide/install.md", format!("netstack-websocket-{version}-npm-x64.tgz")),
        ("docs/guide/openharmony.md", format!("find_package(NetStackWebSocket {major}.{minor} ")),
        ("scripts/release-readme.md", format!("find_package(NetStackWebSocket {major}.{minor} ")),
    ]);
}

/// The rule is in CONTRIBUTING.md.
#[test]
fn the_soname_is_that_of_the_version_everywhere() {
    let header =
        std::fs::read_to_string(root().join("include/netstack_websocket.h")).expect("the header is there");
    let abi = header
        .lines()
        .find_map(|line| line.strip_prefix("#define NSWS_ABI_VERSION "))
        .expect("it is defined");
    let number = if env!("CARGO_PKG_VERSION_MAJOR") == "0" { "0" } else { abi };
    each_has([
        ("build.rs", format!("-Wl,-soname,libnetstack_websocket.so.{number}\"")),
        (
            "cmake/NetStackWebSocketTargets.cmake",
            format!("set(NSWS_SONAME libnetstack_websocket.so.{number})\n"),
        ),
        ("scripts/debian/control", format!("\nPackage: libnetstack-websocket{number}\n")),
    ]);
}

fn each_has<const N: usize>(texts: [(&str, String); N]) {
    for (file, text) in texts {
        let content = std::fs::read_to_string(root().join(file)).expect("the file is there");
        assert!(content.contains(&text), "{file} does not have {text:?}");
    }
}
