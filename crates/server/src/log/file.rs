//! What a segment is written to: a file of the operating system, or a simulator's.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};

/// The file of a segment, open at its end. One call for a tick's batch, so it may be a virtual one.
pub(crate) trait LogFile {
    /// Appends some of `bytes`, and says how many. An error means that none arrived.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts the file to `length` bytes.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Makes durable what was appended, and waits for it.
    fn sync(&mut self) -> io::Result<()>;

    /// What the ring syncs by; a file that is not the system's has none.
    fn descriptor(&self) -> Option<RawFd>;
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn descriptor(&self) -> Option<RawFd> {
        Some(self.as_raw_fd())
    }
}
