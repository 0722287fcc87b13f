use super::{Case, glob_matches};

fn matches(pattern: &str, text: &str) -> bool {
    glob_matches(pattern.as_bytes(), text.as_bytes(), Case::Matters)
}

#[test]
fn plain_parts() {
    assert!(matches("", "") && !matches("", "a"));
    assert!(matches("abc", "abc") && !matches("abc", "abd") && !matches("abc", "ab"));
    assert!(matches("h?llo", "hello") && !matches("h?llo", "hllo"));
    assert!(matches("h*llo", "heeeello") && matches("h*llo", "hllo"));
    assert!(matches("*", "a") && matches("**", "a") && matches("a*", "a"));
    assert!(!matches("*", ""), "as Redis: KEYS and SCAN do not ask for a lone star");
}

#[test]
fn brackets() {
    assert!(matches("h[ae]llo", "hallo") && !matches("h[ae]llo", "hillo"));
    assert!(matches("h[^e]llo", "hallo") && !matches("h[^e]llo", "hello"));
    assert!(matches("h[a-b]llo", "hbllo") && matches("h[b-a]llo", "hallo"));
    assert!(!matches("[]", "a") && matches("[^]", "a"));
    assert!(matches("[abc", "c"), "not closed: to the end of the pattern");
    assert!(matches("[a-]", "^") && matches("[a-]", "a") && !matches("[a-]", "-"));
    assert!(matches("[\\]]", "]") && matches("[\\", "\\"));
    assert!(!matches("[", "["));
}

#[test]
fn escapes() {
    assert!(matches("a\\*b", "a*b") && !matches("a\\*b", "axb"));
    assert!(matches("a\\\\", "a\\") && matches("a\\", "a\\"));
}

#[test]
fn case_is_ignored_on_request() {
    let ignoring = |pattern: &str, text: &str| {
        glob_matches(pattern.as_bytes(), text.as_bytes(), Case::Ignored)
    };
    assert!(ignoring("MaxMemory*", "maxmemory-policy") && !matches("MAX*", "maxmemory"));
    assert!(ignoring("[A-C]x", "bX") && ignoring("[q]", "Q"));
    assert!(!ignoring("[\\q]", "Q"), "as Redis: an escaped byte in brackets keeps its case");
}

#[test]
fn many_stars_take_no_time() {
    let stars = if cfg!(miri) { 20 } else { 2000 };
    let pattern = "a*".repeat(stars) + "b";
    assert!(!matches(&pattern, &"a".repeat(10 * stars)));
    let pattern = "*?".repeat(stars);
    assert!(matches(&pattern, &"x".repeat(stars)));
}

/// The obvious matcher: tries every length for every star.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
        [b'?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
        [literal, rest @ ..] => text.first() == Some(literal) && naive(rest, &text[1..]),
    }
}

/// Every pattern over four parts and every text over two letters, to a small length.
#[test]
fn agrees_with_the_naive_matcher() {
    let words = |alphabet: &'static [u8], len: u32| {
        (0..alphabet.len().pow(len)).map(move |mut index| {
            let mut letters = Vec::new();
            for _ in 0..len {
                letters.push(alphabet[index % alphabet.len()]);
                index /= alphabet.len();
            }
            letters
        })
    };
    let pattern_len_max = if cfg!(miri) { 3 } else { 6 };
    for pattern in (0..=pattern_len_max).flat_map(|len| words(b"*?ab", len)) {
        for text in (1..=5).flat_map(|len| words(b"ab", len)) {
            assert_eq!(
                glob_matches(&pattern, &text, Case::Matters),
                naive(&pattern, &text),
                "{} {}",
                String::from_utf8_lossy(&pattern),
                String::from_utf8_lossy(&text),
            );
        }
    }
}
