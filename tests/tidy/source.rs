//! The files of the repository, and Rust source with its comments and literals told apart from its
//! code.
//!
//! A rule about code must not trip over a word in a comment, and a rule about literals needs
//! nothing else. So a Rust file is read once, character by character, into a *mask*: the same text,
//! same lines, same columns, with the content of comments and literals replaced by blanks. Literals
//! are collected aside. Code below the first `#[cfg(test)]` that is followed by a module, and files
//! of tests, count as tests; most rules leave them alone.

use std::fs;
use std::path::{Path, PathBuf};

/// What is not the project's: build products, data, and what version control keeps (a folder, or a
/// file in a worktree).
const SKIPPED: &[&str] = &[".git", "target", "data", "corpus", "artifacts", "__pycache__"];

/// A text file of the repository.
pub(crate) struct File {
    /// Path from the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files of the repository, sorted by path.
pub(crate) fn all_files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                pending.push(path);
            } else if path.is_file() {
                files.extend(read(root, path));
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

/// `None` for what is not text: benchmark records and the like are text, too, binary fixtures are
/// not.
fn read(root: &Path, path: PathBuf) -> Option<File> {
    let bytes = fs::read(&path).ok()?;
    let relative = path.strip_prefix(root).ok()?.to_string_lossy().into_owned();
    if bytes.contains(&0) {
        return None;
    }
    Some(File { path: relative, text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// A Rust file with its code, its literals, and where its tests begin.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the content of literals blanked.
    pub(crate) mask: String,
    /// String literals: line (from 1) and content as written.
    pub(crate) literals: Vec<(usize, String)>,
    /// First line of the in-file tests; one past the end when there are none, 1 when the whole
    /// file is tests.
    pub(crate) tests_from: usize,
}

impl Source {
    /// All Rust files of the workspace.
    pub(crate) fn all() -> Vec<Self> {
        let is_rust = |file: &File| file.path.ends_with(".rs");
        all_files().into_iter().filter(is_rust).map(Self::new).collect()
    }

    pub(crate) fn new(file: File) -> Self {
        let (mask, literals) = mask(&file.text);
        let tests_from = if is_test_file(&file.path) { 1 } else { tests_begin(&mask) };
        Self { path: file.path, text: file.text, mask, literals, tests_from }
    }

    /// The crate's folder name: `resp` for `crates/resp/src/parse.rs`; the top folder for others.
    pub(crate) fn owner(&self) -> &str {
        let mut parts = self.path.split('/');
        match parts.next() {
            Some("crates") => parts.next().unwrap_or_default(),
            first => first.unwrap_or_default(),
        }
    }

    /// Lines of code without tests: number and masked text.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.mask.lines().enumerate().map(|(at, line)| (at + 1, line)).take(self.tests_from - 1)
    }

    /// Literals outside tests.
    pub(crate) fn code_literals(&self) -> impl Iterator<Item = &(usize, String)> {
        self.literals.iter().filter(|(line, _)| *line < self.tests_from)
    }
}

/// Files that are tests as a whole.
fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let in_folder = |folder: &str| path.starts_with(folder) || path.contains(&format!("/{folder}"));
    name == "tests.rs"
        || name.ends_with("_tests.rs")
        || name == "naive.rs"
        || in_folder("tests/")
        || in_folder("examples/")
}

/// The line of `#[cfg(test)]` before an inline module; one past the end without.
fn tests_begin(mask: &str) -> usize {
    let lines: Vec<&str> = mask.lines().collect();
    let is_inline = |at: usize| {
        let mut following = lines[at + 1..].iter().map(|line| line.trim());
        let first = following.find(|line| !line.starts_with("#[")).unwrap_or_default();
        first.contains("mod ") && first.ends_with('{')
    };
    (0..lines.len())
        .find(|&at| {
            lines[at].trim().starts_with("#[cfg(") && lines[at].contains("test") && is_inline(at)
        })
        .map_or(lines.len() + 1, |at| at + 1)
}

/// Blanks comments and literals.
fn mask(text: &str) -> (String, Vec<(usize, String)>) {
    let mut lexer = Lexer {
        rest: text,
        line: 1,
        mask: String::with_capacity(text.len()),
        literals: Vec::new(),
    };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    (lexer.mask, lexer.literals)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    mask: String,
    literals: Vec<(usize, String)>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = self.rest;
        let starts_word = !self.mask.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if rest.starts_with("//") {
            self.blank(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.blank(block_comment_bytes(rest));
        } else if let Some((open, bytes)) = raw_string(rest).filter(|_| starts_word) {
            self.literal(open, bytes);
        } else if rest.starts_with('"') {
            self.literal(1, string_bytes(rest));
        } else if rest.starts_with('\'') {
            self.blank(character_bytes(rest));
        } else {
            let bytes = rest.chars().next().map_or(0, char::len_utf8);
            self.keep(bytes);
        }
    }

    fn keep(&mut self, bytes: usize) {
        let (piece, rest) = self.rest.split_at(bytes);
        self.line += piece.matches('\n').count();
        self.mask.push_str(piece);
        self.rest = rest;
    }

    fn blank(&mut self, bytes: usize) {
        let (piece, rest) = self.rest.split_at(bytes);
        self.line += piece.matches('\n').count();
        self.mask.extend(piece.chars().map(|one| if one == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    /// A literal of `bytes` whose opening takes `open`: the quotes stay in the mask, so that calls
    /// keep their shape.
    fn literal(&mut self, open: usize, bytes: usize) {
        let piece = &self.rest[..bytes];
        let close = if piece.starts_with('"') { 1 } else { open - 1 };
        let content = &piece[open..bytes.saturating_sub(close).max(open)];
        self.literals.push((self.line, content.to_owned()));
        let from = self.mask.len();
        self.blank(bytes);
        self.mask.replace_range(from..=from, "\"");
        let last = self.mask.len() - 1;
        self.mask.replace_range(last.., "\"");
    }
}

fn block_comment_bytes(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if text.as_bytes()[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// `r"..."`, `r#"..."#`, `br"..."`: bytes of the opening and of the whole.
fn raw_string(text: &str) -> Option<(usize, usize)> {
    let after = text
        .strip_prefix("br")
        .or_else(|| text.strip_prefix("cr"))
        .or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let open = text.len() - body.len();
    let end = format!("\"{}", "#".repeat(hashes));
    let bytes = body.find(&end).map_or(text.len(), |at| open + at + end.len());
    Some((open, bytes))
}

fn string_bytes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A character literal, or one byte of a lifetime.
fn character_bytes(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            // the escaped character itself may be a quote
            chars.next();
            chars.find(|(_, one)| *one == '\'').map_or(1, |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_kept() {
        let text = "let a = \"x // y\"; // \"no\"\nlet b = 'c'; let d: &'a str = r#\"q\"r\"#; /* /* */ */ e";
        let (masked, literals) = mask(text);
        let expected =
            "let a = \"      \";        \nlet b =    ; let d: & a str = \"      \";             e";
        assert_eq!(masked, expected);
        assert_eq!(literals, [(1, "x // y".to_owned()), (2, "q\"r".to_owned())]);
    }

    #[test]
    fn escapes_do_not_end_a_literal() {
        let (masked, literals) = mask(r#"f("a\"b", '\'', '"', b"\\")"#);
        assert_eq!(literals, [(1, r#"a\"b"#.to_owned()), (1, r"\\".to_owned())]);
        assert!(masked.ends_with("b\"  \")"), "{masked}");
    }
}
