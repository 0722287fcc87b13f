//! The command line as redis-server reads it.
//!
//! ```text
//! bobbin [file] [-] [--name value ...]... [-]
//! ```
//!
//! A first argument without a dash is the configuration file. `-` as the first or last argument
//! means that more configuration comes on standard input. What follows `--name` are its values, up
//! to the next argument with two dashes; the first value may itself begin with dashes
//! (`--requirepass --x`), except after `--save`, which alone means `save ""`. `"--port 6380"` as
//! one argument is a whole line.

use crate::split;
use crate::text::Text;

/// What the command line says, not looked at further: names and values are checked by `load`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invocation {
    /// The configuration file.
    pub file: Option<Text>,
    /// Whether standard input holds more configuration.
    pub stdin: bool,
    /// The options as lines of a file, name first, in the order given.
    pub options: Vec<Vec<Text>>,
}

/// Options that a following option does not become the value of.
const MAY_STAND_ALONE: [&[u8]; 1] = [b"save"];

impl Invocation {
    /// Reads the arguments, the program's own name not among them.
    pub fn parse(arguments: &[Vec<u8>]) -> Self {
        let mut invocation = Self::default();
        // Whether the last line of `options` still takes values, and whether it needs one.
        let mut open = false;
        for (index, argument) in arguments.iter().enumerate() {
            let is_first = index == 0;
            let is_last = index + 1 == arguments.len();
            if is_first && !argument.starts_with(b"-") {
                invocation.file = Some(Text::from(argument.as_slice()));
                continue;
            }
            let after_file = index == 1 && invocation.file.is_some();
            if argument == b"-" && (is_first || after_file || is_last) {
                invocation.stdin = true;
                continue;
            }
            let wants_value = open
                && invocation.options.last().is_some_and(|line| {
                    line.len() == 1 && !MAY_STAND_ALONE.contains(&&*line[0].to_ascii_lowercase())
                });
            match argument.strip_prefix(b"--") {
                Some(option) if !wants_value => {
                    let line = option_line(option);
                    open = line.len() == 1;
                    invocation.options.push(line);
                }
                _ if open => {
                    let line = invocation.options.last_mut().expect("an open line is there");
                    line.push(Text::from(argument.as_slice()));
                }
                _ => invocation.options.push(vec![Text::from(argument.as_slice())]),
            }
        }
        for line in &mut invocation.options {
            if line.len() == 1 && MAY_STAND_ALONE.contains(&&*line[0].to_ascii_lowercase()) {
                line.push(Text::default());
            }
        }
        invocation
    }
}

/// `name`, or a whole line that was quoted into one argument.
fn option_line(option: &[u8]) -> Vec<Text> {
    match split(option) {
        Some(tokens) if !tokens.is_empty() => tokens.into_iter().map(Text::from).collect(),
        _ => vec![Text::from(option)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Invocation {
        let arguments: Vec<Vec<u8>> = arguments.iter().map(|one| one.as_bytes().to_vec()).collect();
        Invocation::parse(&arguments)
    }

    fn lines(arguments: &[&str]) -> Vec<String> {
        let line = |line: &Vec<Text>| String::from_utf8(split::join(line)).unwrap();
        parse(arguments).options.iter().map(line).collect()
    }

    #[test]
    fn file_then_options() {
        let invocation = parse(&["a.conf", "--port", "6380"]);
        assert_eq!(invocation.file, Some(Text::from("a.conf")));
        assert!(!invocation.stdin);
        assert_eq!(
            lines(&["a.conf", "--port", "6380", "--save", "60", "1"]),
            ["port 6380", "save 60 1"]
        );
        assert_eq!(parse(&["--port", "1"]).file, None);
        assert_eq!(lines(&["--port 1", "--hz", "5"]), ["port 1", "hz 5"]);
    }

    #[test]
    fn a_dash_first_or_last_reads_standard_input() {
        assert!(parse(&["-"]).stdin);
        assert!(parse(&["a.conf", "-"]).stdin);
        assert!(parse(&["a.conf", "-", "--port", "1"]).stdin);
        assert!(parse(&["--port", "1", "-"]).stdin);
        assert!(!parse(&["--bind", "-", "x"]).stdin);
        assert_eq!(lines(&["--bind", "-", "x"]), ["bind - x"]);
    }

    #[test]
    fn the_first_value_may_begin_with_dashes() {
        assert_eq!(lines(&["--requirepass", "--x", "--port", "1"]), ["requirepass --x", "port 1"]);
        assert_eq!(lines(&["--save", "--port", "1"]), ["save \"\"", "port 1"]);
        assert_eq!(lines(&["--save"]), ["save \"\""]);
        assert_eq!(lines(&["--save", ""]), ["save \"\""]);
        assert_eq!(lines(&["--port"]), ["port"]);
        assert_eq!(lines(&["--port 1", "stray"]), ["port 1", "stray"]);
    }
}
