//! Lines of a section.

use std::fmt::{Display, Write};

/// The text of INFO as it grows.
#[derive(Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// Begins a section.
    pub(super) fn heading(&mut self, title: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.push(format_args!("# {title}\r\n"));
    }

    /// One field.
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        self.push(format_args!("{name}:{value}\r\n"));
    }

    /// A number of bytes, and below it the same for people to read (`name_human`).
    pub(super) fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.push(format_args!("{name}_human:{}\r\n", Human(bytes)));
    }

    /// One field with a fraction, to two digits.
    pub(super) fn ratio(&mut self, name: &str, value: f64) {
        self.push(format_args!("{name}:{value:.2}\r\n"));
    }

    /// All of it.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

/// A number of bytes in its largest unit, in the letters that Redis uses: `10B`, `1.50K`, `1.00G`.
pub(super) struct Human(pub(super) u64);

impl Display for Human {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1024 {
            return write!(formatter, "{}B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        for unit in ["K", "M", "G", "T"] {
            if value < 1024.0 {
                return write!(formatter, "{value:.2}{unit}");
            }
            value /= 1024.0;
        }
        write!(formatter, "{value:.2}P")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        let human = |bytes: u64| Human(bytes).to_string();
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1024), "1.00K");
        assert_eq!(human(1536), "1.50K");
        assert_eq!(human(1 << 20), "1.00M");
        assert_eq!(human(3 << 30), "3.00G");
        assert_eq!(human(5 << 40), "5.00T");
        assert_eq!(human(2 << 50), "2.00P");
    }

    #[test]
    fn a_blank_line_stands_between_sections() {
        let mut lines = Lines::default();
        lines.heading("One");
        lines.field("a", 1);
        lines.heading("Two");
        lines.ratio("b", 0.5);
        assert_eq!(lines.into_bytes(), b"# One\r\na:1\r\n\r\n# Two\r\nb:0.50\r\n");
    }
}
