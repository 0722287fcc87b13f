//! Ranks: a crate imports crates of lower rank only (docs/architecture.md).

use crate::source::all_files;

/// Every crate of the workspace with its rank. `testing` has none: it may import anything, and only
/// tests import it.
const RANKS: &[(&str, u8)] = &[
    ("resp", 0),
    ("table", 0),
    ("spec", 0),
    ("config", 0),
    ("telemetry", 0),
    ("net", 0),
    ("datatypes", 1),
    ("acl", 1),
    ("rdb", 2),
    ("keyspace", 3),
    ("commands", 4),
    ("durability", 5),
    ("replication", 5),
    ("cluster", 5),
    ("scripting", 5),
    ("server", 6),
    ("bobbin", 7),
];

fn rank(name: &str) -> Option<u8> {
    RANKS.iter().find(|(one, _)| *one == name).map(|(_, rank)| *rank)
}

/// Imports that break the order, crates without a rank, and `testing` where it does not belong.
pub(crate) fn findings() -> Vec<String> {
    let mut findings = Vec::new();
    for file in all_files() {
        let is_member = file.path == "Cargo.toml"
            || (file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml"));
        if !is_member {
            continue;
        }
        let name = file.path.split('/').nth(1).unwrap_or("bobbin");
        if name == "testing" {
            continue;
        }
        let Some(own) = rank(name) else {
            findings.push(format!(
                "{}: {name} has no rank: give it one in tests/tidy/ranks.rs",
                file.path
            ));
            continue;
        };
        for (section, import) in imports(&file.text) {
            let is_for_tests = section.ends_with("dev-dependencies");
            match rank(&import) {
                Some(other) if other >= own => {
                    findings.push(format!(
                        "{}: {name} (rank {own}) imports {import} (rank {other})",
                        file.path
                    ));
                }
                None if import == "testing" && !is_for_tests => {
                    findings.push(format!("{}: testing is for [dev-dependencies]", file.path));
                }
                _ => {}
            }
        }
    }
    findings
}

/// (section, crate) of every dependency of a manifest; `[workspace.dependencies]` declares and
/// imports nothing.
fn imports(manifest: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies") && section != "workspace.dependencies" {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                found.push((section.clone(), name.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn a_manifest_gives_its_imports() {
        let text = "[dependencies]\nresp.workspace = true\nlibc = \"1\"\n# no\n[dev-dependencies]\ntesting = { path = \"x\" }\n";
        let expected =
            [("dependencies", "resp"), ("dependencies", "libc"), ("dev-dependencies", "testing")];
        let expected = expected.map(|(section, name)| (section.to_owned(), name.to_owned()));
        assert_eq!(imports(text), expected);
    }
}
