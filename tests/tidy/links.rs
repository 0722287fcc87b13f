//! Docs: links resolve, every crate is on the map, one title a page.

use crate::source::all_files;
use std::path::Path;

/// The page that says what each crate is.
const MAP: &str = "docs/architecture.md";

/// Dead links, crates that the map forgot, pages with no title or several.
pub(crate) fn findings() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = all_files();
    let mut findings = Vec::new();
    for page in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = Path::new(&page.path).parent().unwrap_or_else(|| Path::new(""));
        let (mut titles, mut is_code) = (0, false);
        for (at, line) in page.text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            if is_code {
                continue;
            }
            titles += usize::from(line.starts_with("# "));
            for target in targets(line) {
                if !root.join(folder).join(target).exists() {
                    findings.push(format!("{}:{}: {target} does not exist", page.path, at + 1));
                }
            }
        }
        if titles != 1 {
            findings.push(format!("{}: {titles} titles instead of one", page.path));
        }
    }
    if let Some(map) = files.iter().find(|file| file.path == MAP) {
        for manifest in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
            let mut parts = manifest.path.split('/');
            let name = (parts.next() == Some("crates")).then(|| parts.next()).flatten();
            if let Some(name) = name.filter(|name| !map.text.contains(&format!("`{name}`"))) {
                findings.push(format!("{MAP}: does not mention the crate `{name}`"));
            }
        }
    }
    findings
}

/// Targets of `[text](target)` that are files of this repository, without their anchors.
fn targets(line: &str) -> Vec<&str> {
    line.match_indices("](")
        .filter_map(|(at, _)| line[at + 2..].split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_files_of_the_repository_are_looked_for() {
        let line = "see [a](docs/a.md#x), [b](https://b.example/c) and [c](#here)";
        assert_eq!(targets(line), ["docs/a.md"]);
    }
}
