//! Any bytes as a configuration: loading never panics, and what loads survives CONFIG REWRITE.
#![no_main]

use config::{Config, Invocation, load, rewrite};
use libfuzzer_sys::fuzz_target;

fn parse(text: &[u8]) -> Option<Config> {
    let invocation = Invocation { stdin: true, ..Invocation::default() };
    load(&invocation, Some(text), &mut |_| Ok(Vec::new()), &mut |_, _| Ok(())).ok()
}

fuzz_target!(|text: &[u8]| {
    let config = parse(text).unwrap_or_default();
    // Also where the text itself was refused: the rewrite keeps nothing that would be refused again.
    let written = rewrite(text, &config);
    assert_eq!(parse(&written).as_ref(), Some(&config));
    assert_eq!(rewrite(&written, &config), written);
});
