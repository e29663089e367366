//! The order of the header: what cbindgen makes, sorted by the source file of each item, with a banner for each part.

use std::path::Path;

/// The files of `src/ffi` in the order of the header, and the part that each begins or continues. Within a file, the
/// items keep its order, so a type stands above what uses it.
const PARTS: &[(&str, &str)] = &[
    ("version.rs", "Version"),
    ("handle.rs", "Library: handles"),
    ("codes.rs", "Library: codes"),
    ("errors.rs", "Library: errors"),
    ("header.rs", "Library: what clients and servers share"),
    ("listener.rs", "Library: what clients and servers share"),
    ("runtime_options.rs", "Library: threads, and the end"),
    ("library.rs", "Library: threads, and the end"),
    ("log.rs", "Library: log"),
    ("connect_options.rs", "Client: options"),
    ("client_events.rs", "Client: events"),
    ("client.rs", "Client: functions"),
    ("client_link.rs", "Client: functions"),
    ("client_stats.rs", "Client: functions"),
    ("client_certificates.rs", "Client: functions"),
    ("client_listeners.rs", "Client: listeners"),
    ("server_options.rs", "Server: options"),
    ("server_events.rs", "Server: events"),
    ("server.rs", "Server: functions"),
    ("server_admin.rs", "Server: functions"),
    ("server_groups.rs", "Server: functions"),
    ("server_http.rs", "Server: functions"),
    ("server_listeners.rs", "Server: listeners"),
    ("connection.rs", "Connection"),
    ("platform.rs", "Platform"),
];

const BEGIN: &str = "#ifdef __cplusplus\nextern \"C\" {\n#endif";
const END: &str = "#ifdef __cplusplus\n} /* extern \"C\" */\n#endif";

/// What cbindgen makes, in pieces.
pub struct Pieces {
    /// The overview, the guard and what is included.
    pub head: String,
    /// Each with the comment above it.
    pub items: Vec<Item>,
    pub guard_end: String,
}

pub struct Item {
    pub name: String,
    pub text: String,
}

/// Takes cbindgen's text apart. `last_include` is the line that the first item follows.
pub fn take_apart(text: &str, last_include: &str) -> Pieces {
    let (head, rest) = text.split_once(last_include).expect("the last #include");
    let mut items = Vec::new();
    let mut guard_end = String::new();
    for block in rest.split("\n\n").map(|block| block.trim_matches('\n')).filter(|block| !block.is_empty()) {
        // Those around the functions: here, everything is within.
        if block.starts_with("#ifdef __cplusplus") {
            continue;
        }
        if block.starts_with("#endif") {
            block.clone_into(&mut guard_end);
            continue;
        }
        let name = name(block);
        items.push(Item { name: name.to_owned(), text: tagged(block, name) });
    }
    Pieces { head: format!("{head}{last_include}\n"), items, guard_end }
}

/// The name of what a block declares.
fn name(block: &str) -> &str {
    let code = block.split_once("*/\n").map_or(block, |(_, code)| code);
    let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let name = match code.split(' ').next() {
        Some("#define") => words.nth(1),
        Some("typedef") if code.starts_with("typedef struct") => words.next_back(),
        // A function or its type: no function returns a type of ours.
        _ => words.find(|word| word.starts_with("nsws_")),
    };
    name.unwrap_or_else(|| panic!("no name: {block}"))
}

/// A struct with its tag, so that programs can declare it ahead. cbindgen's own style for that writes `struct` wherever the
/// type is used.
fn tagged(block: &str, name: &str) -> String {
    block.replace("\ntypedef struct {\n", &format!("\ntypedef struct {name} {{\n"))
}

/// Every item of a source file that may stand in the header, in its order.
fn declared(source: &str) -> Vec<&str> {
    source
        .lines()
        .filter_map(|line| {
            let words =
                line.strip_prefix("pub ")?.trim_start_matches("unsafe ").trim_start_matches("extern \"C\" ");
            let name =
                ["struct ", "type ", "const ", "fn "].iter().find_map(|kind| words.strip_prefix(kind))?;
            name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
        })
        .collect()
}

/// The header in its order.
pub fn put_together(pieces: &Pieces, sources: &Path) -> String {
    let mut header = pieces.head.clone();
    header.push_str(&format!("\n{BEGIN}\n"));
    let mut part = "";
    for (file, its_part) in PARTS {
        let source =
            std::fs::read_to_string(sources.join(file)).unwrap_or_else(|_| panic!("src/ffi has no {file}"));
        for name in declared(&source) {
            let its = pieces.items.iter().filter(|item| item.name == name);
            let old = pieces.items.iter().filter(|item| is_old_name(item, name));
            for item in its.chain(old) {
                if *its_part != part {
                    part = its_part;
                    header.push_str(&banner(part));
                }
                header.push_str(&format!("\n{}\n", item.text));
            }
        }
    }
    header.push_str(&format!("\n{END}\n\n{}\n", pieces.guard_end));
    header
}

/// The macro that keeps a function's former name.
fn is_old_name(item: &Item, name: &str) -> bool {
    item.text.ends_with(&format!("#define {} {name}", item.name))
}

fn banner(part: &str) -> String {
    let line = "=".repeat(96);
    format!("\n/* {line}\n * {part}\n * {line} */\n")
}
