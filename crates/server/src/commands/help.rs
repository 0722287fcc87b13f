//! The replies of HELP subcommands: a headline, a line or more for each subcommand, and HELP
//! itself.

use resp::Writer;

/// Subcommands with what they do, each line of it indented in the reply.
pub(crate) type Lines = &'static [(&'static str, &'static [&'static str])];

/// Writes the reply of `command HELP`; `command` in capitals.
pub(crate) fn write(reply: &mut Writer<'_>, command: &str, lines: Lines) {
    let indented: usize = lines.iter().map(|(_, about)| about.len()).sum();
    reply.array(1 + lines.len() + indented + 2);
    reply.simple(&format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (usage, about) in lines {
        reply.simple(usage);
        for line in *about {
            reply.simple(&format!("    {line}"));
        }
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
}

#[cfg(test)]
mod tests {
    use resp::Protocol;

    use super::*;

    #[test]
    fn announces_as_many_lines_as_it_writes() {
        let mut out = Vec::new();
        let lines: Lines = &[("ONE <x>", &["Does one thing.", "Slowly."]), ("TWO", &["Two."])];
        write(&mut Writer::new(&mut out, Protocol::Resp2), "THING", lines);
        let text = String::from_utf8(out).expect("help is text");
        assert!(text.starts_with("*8\r\n+THING <subcommand> "), "{text}");
        assert_eq!(text.matches("\r\n").count(), 1 + 8);
        assert!(text.ends_with("+HELP\r\n+    Print this help.\r\n"), "{text}");
    }
}
