//! Randomness from the system, once at start: everything below is seeded from it.

use std::io::Read;

/// Fresh random bits.
pub(crate) fn fresh() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// 40 hexadecimal digits, for `run_id`.
pub(crate) fn run_id() -> String {
    let mut bytes = [0; 20];
    fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fill(bytes: &mut [u8]) {
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes));
    if read.is_err() {
        // No /dev in this root: the clock and the address of a local variable must do.
        let local = 0u8;
        let mut state = std::ptr::from_ref(&local) as u64
            ^ std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_nanos() as u64);
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    }
}
