//! New files in a private folder, all of them or none, and never over an old one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secchat_ipc::paths::{create_private_folder, quoted};
use tempfile::TempDir;

use crate::failure::Failure;

/// Files that are made aside, in a folder of their own, until they are [placed](Self::place).
#[derive(Debug)]
pub(crate) struct NewFiles {
    folder: PathBuf,
    aside: TempDir,
    made: Vec<PathBuf>,
}

impl NewFiles {
    /// Makes the folder, if it is missing, and one beside for the files.
    pub(crate) fn begin(folder: &Path) -> Result<Self, Failure> {
        let missing: Vec<PathBuf> =
            folder.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
        create_private_folder(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
        check_private(folder)?;
        let aside = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(folder)
            .map_err(|error| Failure::file("make a folder in", folder, &error));
        let aside = match aside {
            Ok(aside) => aside,
            Err(failure) => {
                remove_empty(&missing);
                return Err(failure);
            }
        };
        Ok(Self { folder: folder.to_owned(), aside, made: missing })
    }

    /// Where a file is made before it is placed.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.aside.path().join(name)
    }

    /// Makes a file that only this user can read.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> Result<(), Failure> {
        let path = self.path(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(contents).and_then(|()| file.sync_all()));
        written.map_err(|error| Failure::file("write", &path, &error))
    }

    /// Puts the files in their place, in this order; if one cannot, none is.
    pub(crate) fn place(self, names: &[&str]) -> Result<(), Failure> {
        let mut placed: Vec<PathBuf> = Vec::new();
        for name in names {
            let target = self.folder.join(name);
            // A link never replaces what is there; a rename would.
            if let Err(error) = std::fs::hard_link(self.path(name), &target) {
                placed.iter().for_each(|path| drop(std::fs::remove_file(path)));
                return Err(if error.kind() == std::io::ErrorKind::AlreadyExists {
                    exists(&target)
                } else {
                    Failure::file("write", &target, &error)
                });
            }
            placed.push(target);
        }
        // Where a folder cannot be synced the files are there all the same.
        let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        // The folder aside is inside the first of them: it goes first. A folder with files in it stays.
        let _ = std::fs::remove_dir_all(self.aside.path());
        remove_empty(&self.made);
    }
}

/// The error for a file that would be overwritten.
pub(crate) fn exists(path: &Path) -> Failure {
    Failure::failed(format!("{} exists and is not overwritten: move it away first", path.display()))
}

fn check_private(folder: &Path) -> Result<(), Failure> {
    let found = std::fs::metadata(folder).map_err(|error| Failure::file("look at", folder, &error))?;
    if found.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let (shown, quoted) = (folder.display(), quoted(folder));
    Err(Failure::failed(format!("{shown} is open to other users: run `chmod 700 {quoted}` and try again")))
}

/// Removes folders that were made here, the innermost first, as far as they are empty.
fn remove_empty(folders: &[PathBuf]) {
    folders.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn placed_files_are_private_and_alone() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("config/secchat");
        let files = NewFiles::begin(&folder).unwrap();
        files.write("a", b"1").unwrap();
        files.write("b", b"2").unwrap();
        files.place(&["a", "b"]).unwrap();
        assert_eq!(names(&folder), ["a", "b"]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.join("a")), 0o600);
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn what_is_not_placed_leaves_nothing() {
        let top = tempfile::tempdir().unwrap();
        let files = NewFiles::begin(&top.path().join("config/secchat")).unwrap();
        files.write("a", b"1").unwrap();
        drop(files);
        assert_eq!(names(top.path()), Vec::<String>::new());
    }

    #[test]
    fn one_file_in_the_way_stops_all() {
        let top = tempfile::tempdir().unwrap();
        std::fs::set_permissions(top.path(), Permissions::from_mode(0o700)).unwrap();
        std::fs::write(top.path().join("b"), "old").unwrap();
        let files = NewFiles::begin(top.path()).unwrap();
        files.write("a", b"1").unwrap();
        files.write("b", b"2").unwrap();
        let failure = files.place(&["a", "b"]).unwrap_err();
        assert!(failure.message.contains("exists"), "{}", failure.message);
        assert_eq!(names(top.path()), ["b"]);
        assert_eq!(std::fs::read_to_string(top.path().join("b")).unwrap(), "old");
    }

    #[test]
    fn a_folder_open_to_others_is_refused_with_the_chmod() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("my chats");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let failure = NewFiles::begin(&folder).unwrap_err();
        let command = format!("`chmod 700 '{}'`", folder.display());
        assert!(failure.message.contains(&command), "{}", failure.message);
    }
}
