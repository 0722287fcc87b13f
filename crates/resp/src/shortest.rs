//! The digits of a double: few, and reading back the same.
//!
//! This is Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with
//! Integers", 2010), not a newer algorithm, because Redis 7.2 prints with it and our bytes must be
//! the same: in about one of a thousand values its digits read back right but are not the fewest
//! (`4e23` gives 39999999999999997). The idea:
//!
//! ```text
//!   lower          value          upper      everything between reads back as the value
//! ----|--------------|--------------|----
//!                              3.99|9...     write digits of upper until what is left of it is
//!                                            less than upper - lower, then step towards the value
//! ```
//!
//! All three are first multiplied by a power of ten out of a table, such that the whole part of the
//! product has at most 32 bits. The product is off by less than one unit of its last bit; the
//! bounds are drawn in by that much, which is why a shorter result can be missed.

/// A float of 64 bits: `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
struct Float {
    mantissa: u64,
    exponent: i32,
}

/// The significant digits of a value, in ASCII, and the power of ten to multiply them by.
pub(crate) struct Digits {
    /// The first `count` are digits, the first of them not 0.
    bytes: [u8; DIGITS_MAX],
    count: usize,
    /// value = digits * 10^power.
    pub(crate) power: i32,
}

impl Digits {
    /// Digits of `value`, which is positive and finite.
    pub(crate) fn of(value: f64) -> Self {
        let (value, lower, upper) = bounds(value);
        let (scale, power) = cached_power(upper.exponent);
        let value = value.times(scale);
        // keep away from what the rounding of the products made unsure
        let lower = lower.times(scale).mantissa + 1;
        let upper = Float { mantissa: upper.times(scale).mantissa - 1, ..value };
        let mut digits = Self { bytes: [0; DIGITS_MAX], count: 0, power: -power };
        digits.generate(upper, upper.mantissa - value.mantissa, upper.mantissa - lower);
        digits
    }

    /// The digits.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.count]
    }

    /// Writes digits of `upper` until the rest is within `width`, the distance of the bounds;
    /// `distance` is how far the value is below `upper`.
    fn generate(&mut self, upper: Float, distance: u64, width: u64) {
        let shift = upper.exponent.unsigned_abs();
        let one = 1u64 << shift;
        let (mut whole, mut fraction) = (upper.mantissa >> shift, upper.mantissa & (one - 1));

        // the whole part, 32 bits: at most ten digits
        for place in (0..10u32).rev() {
            let ten = 10u64.pow(place);
            self.append(whole / ten);
            whole %= ten;
            let rest = (whole << shift) + fraction;
            if rest <= width {
                self.power += place as i32;
                return self.approach(rest, ten << shift, distance, width);
            }
        }

        // the fraction: everything grows tenfold with each digit; no overflow, as what is not done
        // has width <= fraction < 2^60, and distance <= width
        let (mut distance, mut width) = (distance, width);
        loop {
            fraction *= 10;
            width *= 10;
            distance *= 10;
            self.append(fraction >> shift);
            fraction &= one - 1;
            self.power -= 1;
            if fraction < width {
                return self.approach(fraction, one, distance, width);
            }
        }
    }

    /// Appends a digit, unless it is a leading zero.
    fn append(&mut self, digit: u64) {
        if digit > 0 || self.count > 0 {
            self.bytes[self.count] = b'0' + digit as u8;
            self.count += 1;
        }
    }

    /// Counts the last digit down while that brings the digits, `rest` below upper, nearer to the
    /// value, `distance` below upper, and not below lower, `width` below upper. A step of the last
    /// digit is `step`.
    fn approach(&mut self, mut rest: u64, step: u64, distance: u64, width: u64) {
        while rest < distance
            && width - rest >= step
            && (rest + step < distance || distance - rest > rest + step - distance)
        {
            self.bytes[self.count - 1] -= 1;
            rest += step;
        }
    }
}

impl Float {
    /// The product's upper 64 bits, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Self { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// `value` with bit 63 of the mantissa set, and the middles between it and its neighbours, all
/// three with the same exponent.
fn bounds(value: f64) -> (Float, Float, Float) {
    let bits = value.to_bits();
    let hidden = 1u64 << 52;
    let biased = (bits >> 52) as i32 & 0x7ff;
    let fraction = bits & (hidden - 1);
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | hidden, biased - 1075) };

    let middle = (mantissa << 1) + 1;
    let shift = middle.leading_zeros() as i32;
    let upper = Float { mantissa: middle << shift, exponent: exponent - 1 - shift };
    // below a power of two the neighbour is half as far
    let finer = if mantissa == hidden { 2 } else { 1 };
    let lower = ((mantissa << finer) - 1) << (exponent - finer - upper.exponent);
    let value = mantissa << (exponent - upper.exponent);
    let with = |mantissa| Float { mantissa, exponent: upper.exponent };
    (with(value), with(lower), upper)
}

/// A power of ten that takes a float of this exponent to one of exponent -60 to -32, and which it
/// is. Where two would do it is the one that Redis takes.
fn cached_power(exponent: i32) -> (Float, i32) {
    let estimate = (f64::from(-(exponent + POWERS.len() as i32)) * LOG_10_OF_2) as i32;
    let mut index = (estimate - POWER_FIRST) / POWER_STEP;
    loop {
        let power = POWER_FIRST + index * POWER_STEP;
        // floor(power * log2(10)) - 63; 217706 / 2^16 is exact enough for |power| < 1,600
        let scale =
            Float { mantissa: POWERS[index as usize], exponent: ((power * 217_706) >> 16) - 63 };
        match exponent + scale.exponent + 64 {
            ..-60 => index += 1,
            -31.. => index -= 1,
            _ => return (scale, power),
        }
    }
}

/// A double has at most 17 digits; Grisu2 writes no more.
const DIGITS_MAX: usize = 18;

const LOG_10_OF_2: f64 = 0.301_029_995_663_981_14;

/// The powers of ten of [`POWERS`]: -348, -340, ... 340.
const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;

/// Mantissas of the powers of ten, rounded to nearest: `10^k / 2^(floor(k * log2(10)) - 63)`.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288, 0xbaae_e17f_a23e_bf76, 0x8b16_fb20_3055_ac76, 0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d, 0xe61a_cf03_3d1a_45df, 0xab70_fe17_c79a_c6ca, 0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c, 0x8dd0_1fad_907f_fc3c, 0xd351_5c28_3155_9a83, 0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb, 0xaecc_4991_4078_536d, 0x823c_1279_5db6_ce57, 0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f, 0xd774_85cb_2582_3ac7, 0xa086_cfcd_97bf_97f4, 0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e, 0x84c8_d4df_d2c6_3f3b, 0xc5dd_4427_1ad3_cdba, 0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584, 0xa3ab_6658_0d5f_daf6, 0xf3e2_f893_dec3_f126, 0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b, 0xc9bc_ff60_34c1_3053, 0x964e_858c_91ba_2655, 0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f, 0xf8a9_5fcf_8874_7d94, 0xb944_7093_8fa8_9bcf, 0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6, 0x993f_e2c6_d07b_7fac, 0xe45c_10c4_2a2b_3b06, 0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e, 0xbce5_0864_9211_1aeb, 0x8cbc_cc09_6f50_88cc, 0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000, 0xe8d4_a510_0000_0000, 0xad78_ebc5_ac62_0000, 0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3, 0x8f7e_32ce_7bea_5c70, 0xd5d2_38a4_abe9_8068, 0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27, 0xb0de_6538_8cc8_ada8, 0x83c7_088e_1aab_65db, 0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758, 0xda01_ee64_1a70_8dea, 0xa26d_a399_9aef_774a, 0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877, 0x865b_8692_5b9b_c5c2, 0xc835_53c5_c896_5d3d, 0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3, 0xa59b_c234_db39_8c25, 0xf6c6_9a72_a398_9f5c, 0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2, 0xcc20_ce9b_d35c_78a5, 0x9816_5af3_7b21_53df, 0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396, 0xfb9b_7cd9_a4a7_443c, 0xbb76_4c4c_a7a4_4410, 0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c, 0x9b10_a4e5_e991_3129, 0xe710_9bfb_a19c_0c9d, 0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85, 0xbf21_e440_03ac_dd2d, 0x8e67_9c2f_5e44_ff8f, 0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9, 0xeb96_bf6e_badf_77d9, 0xaf87_023b_9bf0_ee6b,
];

#[cfg(test)]
mod tests {
    use super::Digits;

    #[test]
    fn digits_read_back_the_same() {
        let mut state = 3u64;
        for round in 0..if cfg!(miri) { 50u64 } else { 200_000 } {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bits = if round % 2 == 0 { state >> 1 } else { (state >> 30) + 1 };
            let value = f64::from_bits(bits);
            if !value.is_finite() || value == 0.0 {
                continue;
            }
            let digits = Digits::of(value);
            let text = std::str::from_utf8(digits.as_slice()).unwrap();
            assert!(!text.starts_with('0') && text.len() <= 17, "{value:e}: {text}");
            let read: f64 = format!("{text}e{}", digits.power).parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{value:e}: {text}");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for (value, text, power) in [
            (f64::MAX, "17976931348623157", 292),
            (f64::MIN_POSITIVE, "22250738585072014", -324),
            (5e-324, "5", -324),
            (1.0, "1", 0),
            // not the fewest: what Grisu2 is known for
            (4e23, "39999999999999997", 7),
        ] {
            let digits = Digits::of(value);
            assert_eq!(std::str::from_utf8(digits.as_slice()), Ok(text));
            assert_eq!(digits.power, power);
        }
    }
}
