//! Who may read a secret file or enter its folder, and the command that mends what is too loose.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secchat_ipc::paths::quoted;

/// Why a secret file or private folder is not one.
#[derive(Debug, thiserror::Error)]
pub enum PermissionError {
    /// Others may read it or enter it.
    #[error("others can reach {} (mode {mode:04o}): run `chmod {wanted:o} {}`", path.display(), quoted(path))]
    TooLoose {
        /// Which file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// It belongs to somebody else.
    #[error(
        "{} belongs to the user with id {owner}, not to you (id {me}): run `chown {me} {}` as its owner or root",
        path.display(),
        quoted(path)
    )]
    ForeignOwner {
        /// Which file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who this process is.
        me: u32,
    },
    /// A folder where a file should be, or the other way round.
    #[error("{} is not {wanted}", path.display())]
    WrongKind {
        /// Which.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// It cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Unopenable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Opens a file that only this user may read, in a folder that only this user may enter.
///
/// # Errors
/// [`PermissionError`].
pub fn open_secret_file(path: &Path) -> Result<File, PermissionError> {
    let unopenable = |source| PermissionError::Unopenable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unopenable)?;
    // Of the open file, not of the path: nobody can exchange it in between.
    let metadata = file.metadata().map_err(unopenable)?;
    if !metadata.is_file() {
        return Err(PermissionError::WrongKind { path: path.to_owned(), wanted: "a file" });
    }
    check(path, &metadata, SECRET_FILE_MODE)?;
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    };
    check_private_folder(folder)?;
    Ok(file)
}

/// Checks that only this user may enter a folder.
///
/// # Errors
/// [`PermissionError`].
pub fn check_private_folder(path: &Path) -> Result<(), PermissionError> {
    let metadata = std::fs::metadata(path)
        .map_err(|source| PermissionError::Unopenable { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(PermissionError::WrongKind { path: path.to_owned(), wanted: "a folder" });
    }
    check(path, &metadata, PRIVATE_FOLDER_MODE)
}

fn check(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), PermissionError> {
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != me {
        return Err(PermissionError::ForeignOwner { path: path.to_owned(), owner, me });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PermissionError::TooLoose { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

/// Only the owner reads and writes.
pub const SECRET_FILE_MODE: u32 = 0o600;
/// Only the owner enters.
const PRIVATE_FOLDER_MODE: u32 = 0o700;

/// A new folder that only this user may enter, gone when dropped.
#[cfg(test)]
pub(crate) fn private_tempdir() -> tempfile::TempDir {
    use std::fs::Permissions;
    tempfile::Builder::new()
        .prefix("sc")
        .permissions(Permissions::from_mode(PRIVATE_FOLDER_MODE))
        .tempdir()
        .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn every_bit_for_others_is_too_loose() {
        let folder = private_tempdir();
        with_mode(folder.path(), 0o700);
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "x").unwrap();
        for mode in [0o600, 0o400] {
            with_mode(&path, mode);
            assert!(open_secret_file(&path).is_ok(), "{mode:o}");
        }
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            with_mode(&path, 0o600 | bit);
            let error = open_secret_file(&path).unwrap_err();
            assert!(matches!(error, PermissionError::TooLoose { wanted: 0o600, .. }), "{error}");
            assert!(error.to_string().contains(&format!("`chmod 600 {}`", path.display())), "{error}");
        }
        with_mode(&path, 0o600);
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            with_mode(folder.path(), 0o700 | bit);
            let error = open_secret_file(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("`chmod 700 {}`", folder.path().display())), "{error}");
        }
    }

    #[test]
    fn a_folder_is_no_key_file() {
        let folder = private_tempdir();
        let error = open_secret_file(folder.path()).unwrap_err();
        assert!(matches!(error, PermissionError::WrongKind { .. }), "{error}");
        let error = open_secret_file(&folder.path().join("none")).unwrap_err();
        assert!(matches!(error, PermissionError::Unopenable { .. }), "{error}");
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("/a/b-c.pem")), "/a/b-c.pem");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
