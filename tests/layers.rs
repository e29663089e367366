//! What ARCHITECTURE.md draws is what the imports of `src/` do: none runs upward, and no files import each other in a
//! circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules from the bottom up. A module imports what is in the rows above its own in this table, which are the
/// layers below; modules of one row don't know each other.
const LAYERS: [&[&str]; 11] = [
    &["callback", "error", "secret"],
    &["header", "log", "net"],
    &["frame", "http", "transport", "url"],
    &["proxy", "tls"],
    &["platform"],
    &["runtime"],
    &["dispatch"],
    &["connection"],
    &["client", "server"],
    &["process"],
    &["ffi"],
];

const MOST_LINES: usize = 500;

#[test]
fn no_file_has_more_than_500_lines() {
    let files = read();
    let long = files.iter().filter(|(_, text)| text.lines().count() > MOST_LINES).map(|(name, _)| name);
    assert_eq!(long.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn no_import_runs_upward() {
    let upward = Sources::read().upward(&LAYERS);
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = Sources::read().circles();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn an_import_that_runs_upward_and_one_beside_it_are_found() {
    let layers: [&[&str]; 3] = [&["error"], &["left", "right"], &["top"]];
    let upward = |path, text| Sources::of(&[("error.rs", ""), ("top.rs", ""), (path, text)]).upward(&layers);
    for (path, text) in [
        ("left.rs", "use crate::top::Thing;"),
        ("left.rs", "use super::top;"),
        ("left/mod.rs", "use super::{error::Error, top::{A, B}};"),
        ("left/deep.rs", "fn f() { super::super::top::g() }"),
        ("left.rs", "pub(crate) use crate::right::Thing;"),
        ("new.rs", "use crate::error::Error;"),
    ] {
        assert_eq!(upward(path, text).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("left.rs", "use crate::error::Error;\nuse std::fmt;"),
        ("left/deep.rs", "use super::other;"),
        ("left.rs", "// Not crate::top.\n#[cfg(test)]\nmod tests {\n    use crate::top::Thing;\n}"),
    ] {
        assert_eq!(upward(path, text), [""; 0], "{path}: {text}");
    }
}

#[test]
fn a_circle_of_files_is_found_behind_what_is_exported_again() {
    let module = "mod a;\nmod b;\nmod c;\npub(crate) use a::A;\npub use b::B;";
    let sources = |a, b| {
        Sources::of(&[("m/mod.rs", module), ("m/a.rs", a), ("m/b.rs", b), ("m/c.rs", "use super::{A, B};")])
    };
    assert_eq!(sources("use super::B;", "").circles(), [""; 0]);
    let circles = sources("use super::B;", "fn f() { crate::m::a::g() }").circles();
    assert_eq!(circles, ["m/a.rs -> m/b.rs", "m/b.rs -> m/a.rs"]);
}

/// The files of `src/`: their names and texts.
fn read() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files
}

/// The files of `src/`, and what each imports.
struct Sources {
    files: BTreeMap<String, Vec<Import>>,
}

/// A path in a file, from the root of the crate.
struct Import {
    path: Vec<String>,
    /// What the file calls it.
    name: String,
    /// It is only exported again.
    is_export: bool,
}

impl Sources {
    fn read() -> Sources {
        let files = read();
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Sources::of(&files)
    }

    /// Of the names and texts of files; `lib.rs`, which names them all, is left out.
    fn of(files: &[(&str, &str)]) -> Sources {
        let files = files.iter().filter(|(name, _)| *name != "lib.rs");
        Sources { files: files.map(|(name, text)| (name.to_string(), imports(name, text))).collect() }
    }

    fn upward(&self, layers: &[&[&str]]) -> Vec<String> {
        let row = |module: &str| layers.iter().position(|row| row.contains(&module));
        let mut found = BTreeSet::new();
        for (file, imports) in &self.files {
            let module = module_path(file).swap_remove(0);
            let Some(own) = row(&module) else {
                found.insert(format!("{module} is in no layer"));
                continue;
            };
            for Import { path, .. } in imports {
                let Some(wanted) = path.first().filter(|wanted| **wanted != module) else { continue };
                if row(wanted).is_none_or(|wanted| wanted >= own) {
                    found.insert(format!("{file} imports {wanted}"));
                }
            }
        }
        found.into_iter().collect()
    }

    /// The imports of which circles are made.
    fn circles(&self) -> Vec<String> {
        let mut arrows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (file, imports) in &self.files {
            let used = imports.iter().filter(|import| !import.is_export);
            let targets = used.filter_map(|import| self.resolve(&import.path, 0));
            arrows.entry(file).or_default().extend(targets.filter(|target| target != file));
        }
        let leads_to = |from: &str, wanted: &str| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(file) = next.pop() {
                for target in arrows.get(file).into_iter().flatten() {
                    if target == wanted {
                        return true;
                    }
                    if seen.insert(target) {
                        next.push(target);
                    }
                }
            }
            false
        };
        let all =
            arrows.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (*from, to.as_str())));
        let in_circles = all.filter(|(from, to)| leads_to(to, from));
        in_circles.map(|(from, to)| format!("{from} -> {to}")).collect()
    }

    /// The file in which a path ends: what a module exports again is in another.
    fn resolve(&self, path: &[String], depth: usize) -> Option<String> {
        let file = |path: &[String]| {
            let path = path.join("/");
            [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|f| self.files.contains_key(f))
        };
        let length = (1..=path.len()).rev().find(|length| file(&path[..*length]).is_some())?;
        let target = file(&path[..length])?;
        let exported = path.get(length).and_then(|item| {
            self.files[&target].iter().find(|import| import.name == *item && import.path != path)
        });
        match exported {
            Some(import) if depth < 8 => self.resolve(&import.path, depth + 1).or(Some(target)),
            _ => Some(target),
        }
    }
}

/// The module of a file: `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// What a file imports from its crate, but for its tests, which stand at its end.
fn imports(file: &str, text: &str) -> Vec<Import> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let text: String = lines.flat_map(|line| [line.split("// ").next().unwrap_or_default(), "\n"]).collect();
    let own = module_path(file);
    let children: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_suffix(';')?.split_once("mod ").map(|(_, name)| name))
        .collect();
    let mut found = Vec::new();
    for (at, _) in text.match_indices("::") {
        // The first part of a path; what follows is read with it.
        let begin = text[..at].rfind(|c: char| !is_name(c)).map_or(0, |before| before + 1);
        let first = &text[begin..at];
        let before = &text[..begin];
        let is_inside = before.ends_with("::") || before.ends_with("in ");
        let is_known = ["crate", "super", "self"].contains(&first) || children.contains(&first);
        // Within a tree of names, the tree's beginning has been read already.
        if is_inside || !is_known || is_within_tree(before) {
            continue;
        }
        let line = before.lines().next_back().unwrap_or_default();
        let is_export = line.trim_start().starts_with("pub") && line.ends_with("use ");
        let mut paths = Vec::new();
        read_tree(&text[begin..], Vec::new(), &mut paths);
        for (path, name) in paths {
            let path = absolute(&own, &path);
            found.push(Import { path, name, is_export });
        }
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a text ends inside the braces of a `use`.
fn is_within_tree(before: &str) -> bool {
    let statement = before.rsplit(';').next().unwrap_or_default();
    statement.split_once("use ").is_some_and(|(_, tree)| tree.contains("::{"))
}

/// Reads `a::b::{c, d as e, f::g}`, and what follows each comma in it. Returns what is behind.
fn read_tree<'a>(text: &'a str, mut path: Vec<String>, found: &mut Vec<(Vec<String>, String)>) -> &'a str {
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !is_name(c) && c != '*').unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        path.push(part.to_owned());
        match behind.strip_prefix("::") {
            Some(tree) if tree.starts_with('{') => {
                rest = &tree[1..];
                loop {
                    rest = rest.trim_start();
                    match rest.chars().next() {
                        None => return rest,
                        Some('}') => return &rest[1..],
                        Some(',') => rest = &rest[1..],
                        Some(_) => rest = read_tree(rest, path.clone(), found),
                    }
                }
            }
            Some(next) if next.starts_with(|c: char| is_name(c) || c == '*') => rest = next,
            _ => {
                let alias = behind.strip_prefix(" as ").map(|alias| {
                    let end = alias.find(|c: char| !is_name(c)).unwrap_or(alias.len());
                    (alias[..end].to_owned(), &alias[end..])
                });
                let last = path.last().filter(|last| *last != "self").cloned();
                let (name, behind) = alias.unwrap_or_else(|| (last.unwrap_or_default(), behind));
                found.push((path, name));
                return behind;
            }
        }
    }
}

/// A path from the root of the crate.
fn absolute(own: &[String], path: &[String]) -> Vec<String> {
    let mut from = own.to_vec();
    let mut rest = path.iter().peekable();
    match rest.peek().map(|first| first.as_str()) {
        Some("crate") => {
            rest.next();
            from.clear();
        }
        _ => {
            while let Some(part) = rest.next_if(|part| ["super", "self"].contains(&part.as_str())) {
                if part == "super" {
                    from.pop();
                }
            }
        }
    }
    from.extend(rest.filter(|part| !["self", "*"].contains(&part.as_str())).cloned());
    from
}
