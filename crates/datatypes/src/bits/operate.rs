//! Strings combined bit by bit: BITOP.

/// What BITOP does with its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Set in all.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number of them.
    Xor,
    /// Clear in the only input.
    Not,
}

/// The combination of the strings given so far, as long as the longest of them; a shorter one
/// counts as zeros beyond its end. Inputs are borrowed one at a time and never kept.
#[derive(Debug)]
pub struct Combination {
    operation: Operation,
    /// Nothing before the first input.
    result: Option<Vec<u8>>,
}

impl Combination {
    /// The combination of no strings, which is empty.
    #[must_use]
    pub const fn new(operation: Operation) -> Self {
        Self { operation, result: None }
    }

    /// Takes another input in. O(length of the longest so far). Of several inputs to
    /// [`Operation::Not`], all but the first are left out.
    pub fn add(&mut self, input: &[u8]) {
        let Some(result) = &mut self.result else {
            self.result = Some(match self.operation {
                Operation::Not => input.iter().map(|byte| !byte).collect(),
                Operation::And | Operation::Or | Operation::Xor => input.to_vec(),
            });
            return;
        };
        let common = result.len().min(input.len());
        let (covered, beyond) = result.split_at_mut(common);
        let pairs = covered.iter_mut().zip(input);
        match self.operation {
            Operation::And => {
                pairs.for_each(|(byte, other)| *byte &= other);
                beyond.fill(0);
                result.resize(input.len().max(result.len()), 0);
            }
            Operation::Or => {
                pairs.for_each(|(byte, other)| *byte |= other);
                result.extend_from_slice(&input[common..]);
            }
            Operation::Xor => {
                pairs.for_each(|(byte, other)| *byte ^= other);
                result.extend_from_slice(&input[common..]);
            }
            Operation::Not => {}
        }
    }

    /// The combination.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.result.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Combination, Operation};
    use crate::bits::naive;

    fn combined(operation: Operation, inputs: &[&[u8]]) -> Vec<u8> {
        let mut combination = Combination::new(operation);
        inputs.iter().for_each(|input| combination.add(input));
        combination.finish()
    }

    fn expected(operation: Operation, inputs: &[&[u8]]) -> Vec<u8> {
        let len = inputs.iter().map(|input| input.len()).max().unwrap_or(0);
        let byte = |input: &&[u8], at: usize| input.get(at).copied().unwrap_or(0);
        (0..len)
            .map(|at| {
                let bytes = inputs.iter().map(|input| byte(input, at));
                match operation {
                    Operation::And => bytes.fold(0xff, |sum, byte| sum & byte),
                    Operation::Or => bytes.fold(0, |sum, byte| sum | byte),
                    Operation::Xor => bytes.fold(0, |sum, byte| sum ^ byte),
                    Operation::Not => !byte(&inputs[0], at),
                }
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_naive_loop() {
        let lens = [0, 1, 3, 8, 63, 64, 65, 1000];
        let all: Vec<_> =
            lens.iter().enumerate().map(|(i, len)| naive::random_bytes(i as u64, *len)).collect();
        for one in &all {
            assert_eq!(combined(Operation::Not, &[one]), expected(Operation::Not, &[one]));
            for two in &all {
                for operation in [Operation::And, Operation::Or, Operation::Xor] {
                    for inputs in [&[&one[..], two][..], &[&one[..], two, &all[6]][..]] {
                        assert_eq!(combined(operation, inputs), expected(operation, inputs));
                    }
                }
            }
        }
    }

    #[test]
    fn one_input_or_none() {
        assert_eq!(combined(Operation::And, &[b"abc"]), b"abc");
        assert_eq!(combined(Operation::Or, &[]), b"");
    }
}
