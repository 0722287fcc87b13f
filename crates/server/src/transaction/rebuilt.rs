//! A command put together from arguments of another one.

use resp::{Arguments, Protocol, Span, Writer};

/// The arguments of a command that is being put together.
#[derive(Clone)]
pub(crate) struct Rebuilt {
    arguments: Vec<u8>,
    lengths: Vec<usize>,
}

impl Rebuilt {
    /// The first `count` of `arguments`.
    pub(crate) fn head(arguments: Arguments<'_>, count: usize) -> Self {
        let mut rebuilt = Self { arguments: Vec::new(), lengths: Vec::new() };
        (0..count).for_each(|at| rebuilt.push(&arguments[at]));
        rebuilt
    }

    /// Adds an argument.
    pub(crate) fn push(&mut self, argument: &[u8]) {
        self.arguments.extend_from_slice(argument);
        self.lengths.push(argument.len());
    }

    /// Encodes the command and hands its canonical form to `take`.
    pub(crate) fn finish<R>(&self, take: impl FnOnce(Arguments<'_>) -> R) -> R {
        let mut bytes = Vec::with_capacity(self.arguments.len() + self.lengths.len() * 8 + 8);
        let mut spans = Vec::with_capacity(self.lengths.len());
        let mut at = 0;
        let mut writer = Writer::new(&mut bytes, Protocol::Resp2);
        writer.array(self.lengths.len());
        for length in &self.lengths {
            let argument = &self.arguments[at..at + length];
            at += length;
            writer.bulk(argument);
            // The argument is followed by CR and LF.
            let end = (writer.position() - 2) as u32;
            spans.push(Span { start: end - *length as u32, end });
        }
        take(Arguments::new(&bytes, &spans))
    }
}
