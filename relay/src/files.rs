//! Reading an operator's files so that what is read now can be compared with what was read before, without keeping it.
//! It reads files only: a pipe would be empty the second time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use openssl::sha::Sha256;
use rustix::fs::OFlags;

/// What was read, in 32 bytes.
pub(crate) type Digest = [u8; 32];

/// Reads files and sums up what was in them.
pub(crate) struct Files {
    sum: Sha256,
}

impl Files {
    /// Nothing has been read.
    pub(crate) fn new() -> Self {
        Self { sum: Sha256::new() }
    }

    /// Reads a file; that it cannot be read is noted as well.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = open(path).and_then(read_all);
        self.note(path.as_os_str().as_encoded_bytes());
        match &read {
            Ok(bytes) => self.note(bytes),
            Err(error) => self.note(error.to_string().as_bytes()),
        }
        read
    }

    /// Notes something else that counts, as a file's mode does.
    pub(crate) fn note(&mut self, bytes: &[u8]) {
        self.sum.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.sum.update(bytes);
    }

    /// The sum of all that was read and noted.
    pub(crate) fn digest(self) -> Digest {
        self.sum.finish()
    }
}

/// Opens without waiting for anybody, as opening a pipe would.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() || kind.is_socket() {
        let text = "is a pipe; give a file, which can be read again when it changes";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(file)
}

fn read_all(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = file.by_ref().take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    if u64::try_from(count).is_ok_and(|count| count == MAX_FILE_BYTES) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "is larger than 1 GiB"));
    }
    Ok(bytes)
}

/// A list of 5,000,000 users fits; /dev/zero does not.
const MAX_FILE_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(path: &Path) -> Digest {
        let mut files = Files::new();
        let _ = files.read(path);
        files.digest()
    }

    #[test]
    fn the_sum_changes_with_content_absence_and_name() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let absent = digest(&one);
        std::fs::write(&one, "").unwrap();
        std::fs::write(&other, "").unwrap();
        let empty = digest(&one);
        std::fs::write(&one, "x").unwrap();
        let full = digest(&one);
        assert!(absent != empty && empty != full && absent != full && empty != digest(&other));
        std::fs::write(&one, "x").unwrap();
        assert_eq!(digest(&one), full, "written again, but the same");
    }

    #[test]
    fn a_pipe_is_refused_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(Files::new().read(&pipe).unwrap_err().to_string().contains("is a pipe"));
        assert_eq!(Files::new().read(Path::new("/dev/null")).unwrap(), b"");
    }
}
