//! `# Errorstats`: error replies by their first word.

use super::lines::Lines;
use super::part::Facts;

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    lines.heading("Errorstats");
    for (prefix, count) in facts.all.counters.errors.iter() {
        lines.field(&format!("errorstat_{}", line_safe(prefix)), format_args!("count={count}"));
    }
}

/// A word that a client may have made up (`DEBUG ERROR`, a script), without what would break the
/// form of a line.
fn line_safe(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    text.replace(['#', ':', '\n', '\r'], "_")
}

#[cfg(test)]
mod tests {
    use super::line_safe;

    #[test]
    fn a_prefix_cannot_break_the_line() {
        assert_eq!(line_safe(b"ERR"), "ERR");
        assert_eq!(line_safe(b"A:B#C\r\nD"), "A_B_C__D");
    }
}
