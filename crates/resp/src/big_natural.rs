//! Natural numbers of any size, as far as reading and printing a `long double` needs them.
//!
//! Little-endian words of 32 bits without leading zero words; zero is no words. Sizes stay below
//! about 30,000 bits (5,119 digits times 5^4960), so the simple quadratic ways are right.

/// A natural number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BigNatural {
    words: Vec<u32>,
}

impl BigNatural {
    /// The number that ASCII `digits` spell.
    pub(crate) fn from_decimal(digits: &[u8]) -> Self {
        let mut number = Self { words: Vec::new() };
        for chunk in digits.chunks(9) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
            number.multiply_add(10u32.pow(chunk.len() as u32), value);
        }
        number
    }

    /// `value * 2^shift`.
    pub(crate) fn from_shifted(value: u64, shift: u32) -> Self {
        let mut number = Self { words: vec![value as u32, (value >> 32) as u32] };
        number.trim();
        number.shift_left(shift as usize);
        number
    }

    /// Multiplies by 5^`power`.
    pub(crate) fn multiply_power_of_5(&mut self, power: u64) {
        // 5^13 is the largest power below 2^32
        for _ in 0..power / 13 {
            self.multiply_add(5u32.pow(13), 0);
        }
        self.multiply_add(5u32.pow((power % 13) as u32), 0);
    }

    /// The number's first 128 bits, the power of two to take them with, and whether any bit was
    /// left out.
    pub(crate) fn top(&self) -> (u128, i64, bool) {
        let bits = self.bits();
        let skipped = bits.saturating_sub(128);
        let mut mantissa = 0u128;
        for at in (skipped..bits).rev() {
            mantissa = mantissa << 1 | u128::from(self.bit(at));
        }
        (mantissa, skipped as i64, (0..skipped).any(|at| self.bit(at)))
    }

    /// The quotient's first 67 or 68 bits, the power of two to take them with, and whether there
    /// is a remainder. Neither number is zero.
    pub(crate) fn divide(mut self, mut divisor: Self) -> (u128, i64, bool) {
        // make both as long as each other: the quotient is then between 1/2 and 2
        let (bits, divisor_bits) = (self.bits(), divisor.bits());
        self.shift_left(divisor_bits.saturating_sub(bits));
        divisor.shift_left(bits.saturating_sub(divisor_bits));
        let mut quotient = 0u128;
        for _ in 0..QUOTIENT_BITS {
            quotient <<= 1;
            if !self.is_below(&divisor) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        let exponent = bits as i64 - divisor_bits as i64 - (QUOTIENT_BITS - 1);
        (quotient, exponent, !self.words.is_empty())
    }

    /// Appends the number in decimal.
    pub(crate) fn push_decimal(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.words.is_empty() {
            chunks.push(self.divide_small(1_000_000_000));
        }
        let first = chunks.pop().unwrap_or(0);
        out.extend_from_slice(first.to_string().as_bytes());
        for chunk in chunks.iter().rev() {
            out.extend_from_slice(format!("{chunk:09}").as_bytes());
        }
    }

    /// `self * factor + summand`.
    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for word in &mut self.words {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.words.push(carry as u32);
        }
    }

    /// Divides; answers the remainder.
    fn divide_small(&mut self, divisor: u32) -> u32 {
        let mut rest = 0u64;
        for word in self.words.iter_mut().rev() {
            rest = rest << 32 | u64::from(*word);
            *word = (rest / u64::from(divisor)) as u32;
            rest %= u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    /// Multiplies by 2^`shift`.
    fn shift_left(&mut self, shift: usize) {
        if self.words.is_empty() {
            return;
        }
        let bits = shift % 32;
        if bits > 0 {
            self.multiply_add(1 << bits, 0);
        }
        self.words.splice(0..0, std::iter::repeat_n(0, shift / 32));
    }

    /// Whether `self < other`.
    fn is_below(&self, other: &Self) -> bool {
        let by_length = self.words.len().cmp(&other.words.len());
        by_length.then_with(|| self.words.iter().rev().cmp(other.words.iter().rev())).is_lt()
    }

    /// Subtracts `other`, which is not above `self`.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (index, word) in self.words.iter_mut().enumerate() {
            let (value, first) = word.overflowing_sub(other.words.get(index).copied().unwrap_or(0));
            let (value, second) = value.overflowing_sub(u32::from(borrow));
            *word = value;
            borrow = first || second;
        }
        debug_assert!(!borrow, "the smaller number is subtracted");
        self.trim();
    }

    /// How many bits the number has.
    fn bits(&self) -> usize {
        let last = self.words.last().map_or(0, |word| word.leading_zeros() as usize);
        self.words.len() * 32 - last
    }

    /// Bit `at`, which is below [`BigNatural::bits`].
    fn bit(&self, at: usize) -> bool {
        self.words[at / 32] >> (at % 32) & 1 == 1
    }

    /// Drops leading zero words.
    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

/// 64 to keep, one to round, one lost when the quotient is below 1, and one to spare; the
/// remainder is the sticky bit.
const QUOTIENT_BITS: i64 = 68;

#[cfg(test)]
mod tests {
    use super::BigNatural;

    #[test]
    fn decimal_goes_in_and_out() {
        for text in ["0", "7", "1000000000", "340282366920938463463374607431768211456"] {
            let mut out = Vec::new();
            BigNatural::from_decimal(text.as_bytes()).push_decimal(&mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn shifts_and_powers() {
        let mut out = Vec::new();
        BigNatural::from_shifted(3, 100).push_decimal(&mut out);
        assert_eq!(out, (3u128 << 100).to_string().as_bytes());
        let mut number = BigNatural::from_decimal(b"2");
        number.multiply_power_of_5(30);
        out.clear();
        number.push_decimal(&mut out);
        assert_eq!(out, (2 * 5u128.pow(30)).to_string().as_bytes());
    }

    #[test]
    fn division_gives_leading_bits() {
        let (a, b) = (123_456_789_012_345_678u128, 987_654_321u128);
        let number = |n: u128| BigNatural::from_decimal(n.to_string().as_bytes());
        let (quotient, exponent, sticky) = number(a).divide(number(b));
        assert_eq!(quotient >> -exponent, a / b);
        assert!(sticky);
        let (quotient, exponent, sticky) = number(b * b).divide(number(b));
        assert_eq!((quotient >> -exponent, sticky), (b, false));
    }

    #[test]
    fn top_bits_of_long_and_short_numbers() {
        assert_eq!(BigNatural::from_decimal(b"5").top(), (5, 0, false));
        let (mantissa, exponent, sticky) = BigNatural::from_shifted(u64::MAX, 100).top();
        assert_eq!((mantissa, exponent, sticky), (u128::from(u64::MAX) << 64, 36, false));
    }
}
