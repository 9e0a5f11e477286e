//! Which folders have to be watched to learn of every change of some files: the folder of each, and of each symbolic
//! link on the way to it, since a link can be swapped while the file stays; where one is missing, the deepest folder
//! that is there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::user_list::KEY_FILE_SUFFIX;

/// A folder, whatever its name is by now.
pub(super) type Identity = (u64, u64);

/// What is to be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The folders, without symbolic links in their paths; one that cannot be looked at has no identity.
    pub(super) folders: BTreeMap<PathBuf, Option<Identity>>,
    /// Files and links in them whose change matters.
    names: BTreeSet<PathBuf>,
    /// Folders in which every key file matters.
    key_folders: BTreeSet<PathBuf>,
}

impl Layout {
    /// Adds what has to be watched for one file.
    pub(super) fn add(&mut self, file: &Path) {
        // An error means an empty path or no current folder: there is nothing to watch then.
        if let Ok(path) = std::path::absolute(file) {
            let folder = self.walk(&path);
            self.watch(&folder);
        }
    }

    /// Adds what has to be watched for the keys in a folder.
    pub(super) fn add_keys(&mut self, folder: &Path) {
        if let Ok(path) = std::path::absolute(folder.join(KEY_FILE_SUFFIX)) {
            let folder = self.walk(&path);
            self.watch(&folder);
            self.key_folders.insert(folder);
        }
    }

    /// Whether a change of this file, link or folder matters.
    pub(super) fn matters(&self, path: &Path) -> bool {
        let is_key = |name: &OsStr| {
            // A link that several keys go through, as `..data` is in Kubernetes, has two dots.
            let name = name.as_encoded_bytes();
            name.ends_with(KEY_FILE_SUFFIX.as_bytes()) || name.starts_with(b"..")
        };
        self.names.contains(path)
            || self.folders.contains_key(path)
            || (path.file_name().is_some_and(is_key)
                && path.parent().is_some_and(|folder| self.key_folders.contains(folder)))
    }

    /// Goes along a path, link by link; gives the last folder on it that is there.
    fn walk(&mut self, path: &Path) -> PathBuf {
        let mut real = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = parts(path);
        let mut hops = 0;
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                real.pop();
                continue;
            }
            let here = real.join(&part);
            match std::fs::read_link(&here) {
                Ok(target) if hops < MAX_HOPS => {
                    hops += 1;
                    self.watch(&real);
                    self.names.insert(here);
                    if target.is_absolute() {
                        real = PathBuf::from("/");
                    }
                    for part in parts(&target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                _ if rest.is_empty() || !here.is_dir() => {
                    self.names.insert(here);
                    return real;
                }
                _ => real = here,
            }
        }
        real
    }

    fn watch(&mut self, folder: &Path) {
        let identity = std::fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()));
        self.folders.insert(folder.to_owned(), identity);
    }
}

/// The parts of a path that lead on.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

/// As many links as Linux follows.
const MAX_HOPS: usize = 40;

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, rename, write};
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folder(tempfile::TempDir, PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().canonicalize().unwrap();
            Self(folder, path)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.1.join(name)
        }

        fn layout(&self, file: &str) -> Layout {
            let mut layout = Layout::default();
            layout.add(&self.0.path().join(file));
            layout
        }

        fn watches(&self, layout: &Layout) -> Vec<String> {
            let inside = layout.folders.keys().filter_map(|folder| folder.strip_prefix(&self.1).ok());
            inside.map(|folder| folder.display().to_string()).collect()
        }
    }

    #[test]
    fn a_plain_file_needs_its_folder_and_other_files_there_do_not_matter() {
        let folder = Folder::new();
        write(folder.at("list"), "").unwrap();
        let layout = folder.layout("list");
        assert_eq!(folder.watches(&layout), [""]);
        assert!(layout.matters(&folder.at("list")) && layout.matters(&folder.at("")));
        assert!(!layout.matters(&folder.at("log")) && !layout.matters(&folder.at("a_pubkey.pem")));
        let mut layout = layout;
        layout.add_keys(&folder.at(""));
        assert!(layout.matters(&folder.at("a_pubkey.pem")) && layout.matters(&folder.at("..data")));
        assert!(!layout.matters(&folder.at("log")));
    }

    #[test]
    fn links_are_watched_where_they_are_and_where_they_lead() {
        // As Kubernetes lays out a volume.
        let folder = Folder::new();
        for name in ["mount", "mount/..1", "mount/..2"] {
            create_dir(folder.at(name)).unwrap();
        }
        symlink("..1", folder.at("mount/..data")).unwrap();
        symlink("..data/list", folder.at("mount/list")).unwrap();
        symlink("mount", folder.at("etc")).unwrap();
        let first = folder.layout("etc/list");
        assert_eq!(folder.watches(&first), ["", "mount", "mount/..1"]);
        for name in ["etc", "mount/list", "mount/..data", "mount/..1/list"] {
            assert!(first.matters(&folder.at(name)), "{name}");
        }
        symlink("..2", folder.at("mount/..new")).unwrap();
        rename(folder.at("mount/..new"), folder.at("mount/..data")).unwrap();
        assert_eq!(folder.watches(&folder.layout("etc/list")), ["", "mount", "mount/..2"]);
    }

    #[test]
    fn what_is_missing_is_awaited_in_the_deepest_folder_there_is() {
        let folder = Folder::new();
        create_dir(folder.at("a")).unwrap();
        let missing = folder.layout("a/b/list");
        assert_eq!(folder.watches(&missing), ["a"]);
        assert!(missing.matters(&folder.at("a/b")));
        create_dir(folder.at("a/b")).unwrap();
        let there = folder.layout("a/b/list");
        assert_eq!(folder.watches(&there), ["a/b"]);
        rename(folder.at("a/b"), folder.at("a/old")).unwrap();
        create_dir(folder.at("a/b")).unwrap();
        assert_ne!(folder.layout("a/b/list"), there, "another folder of the same name");
    }

    #[test]
    fn a_circle_of_links_ends() {
        let folder = Folder::new();
        symlink("two", folder.at("one")).unwrap();
        symlink("one", folder.at("two")).unwrap();
        assert_eq!(folder.watches(&folder.layout("one/list")), [""]);
    }
}
