//! What a buffer may keep between two uses.

/// Bytes that an empty buffer keeps for its next use: most commands and replies need a few hundred,
/// and nearly all answers of the server fit. What had to be larger once goes back.
pub(crate) const KEPT_BYTES_MAX: usize = 16 * 1024;

/// Empties a buffer for the next use, and gives it back if it has more than [`KEPT_BYTES_MAX`].
pub(crate) fn empty<T>(buffer: &mut Vec<T>) {
    buffer.clear();
    if buffer.capacity() * size_of::<T>() > KEPT_BYTES_MAX {
        *buffer = Vec::new();
    }
}
