//! The files of `tests/vectors/`: what a test makes must be what the file says, byte for byte.
//!
//! `SECCHAT_BLESS=1` writes them anew; a change in one is a change of the protocol.

use std::fmt::Write as _;
use std::path::PathBuf;

/// A vector file in the making, or as read.
#[derive(Debug, Default)]
pub(crate) struct VectorFile {
    name: &'static str,
    text: String,
    blocks: Vec<Block>,
}

/// One case: `name = value` lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block(Vec<(String, String)>);

impl VectorFile {
    /// Begins `NAME.txt`; `about` becomes its opening comment.
    pub(crate) fn new(name: &'static str, about: &str) -> Self {
        let mut file = Self { name, ..Self::default() };
        file.comment(about);
        file
    }

    /// Reads `NAME.txt`; empty when there is none.
    pub(crate) fn read(name: &'static str) -> Self {
        let text = std::fs::read_to_string(path(name)).unwrap_or_default();
        let mut blocks = vec![Block::default()];
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(" =") {
                Some((key, value)) => {
                    blocks.last_mut().unwrap().0.push((key.to_owned(), value.trim_start().to_owned()))
                }
                None if line.is_empty() => blocks.push(Block::default()),
                None => panic!("{name}.txt: {line:?} is no `name = value`"),
            }
        }
        blocks.retain(|block| !block.0.is_empty());
        Self { name, text, blocks }
    }

    /// The blocks as read.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The block read with this `case`.
    pub(crate) fn case(&self, case: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.value("case") == Some(&format!("{case:?}")))
    }

    /// Appends comment lines.
    pub(crate) fn comment(&mut self, text: &str) {
        for line in text.lines() {
            writeln!(self.text, "# {line}").unwrap();
        }
    }

    /// Begins the block of a case.
    pub(crate) fn begin(&mut self, case: &str) -> &mut Self {
        self.text.push('\n');
        self.text("case", case)
    }

    /// Appends `name = "text"`.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        writeln!(self.text, "{name} = {text:?}").unwrap();
        self
    }

    /// Appends a decimal number.
    pub(crate) fn number(&mut self, name: &str, number: u64) -> &mut Self {
        writeln!(self.text, "{name} = {number}").unwrap();
        self
    }

    /// Appends bytes in lowercase hex; no bytes are an empty value.
    pub(crate) fn bytes(&mut self, name: &str, bytes: impl AsRef<[u8]>) -> &mut Self {
        let space = if bytes.as_ref().is_empty() { "" } else { " " };
        writeln!(self.text, "{name} ={space}{}", hex(bytes.as_ref())).unwrap();
        self
    }

    /// Compares with the file, or writes it when blessing.
    pub(crate) fn check(&self) {
        let path = path(self.name);
        if blessing() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &self.text).unwrap();
            return;
        }
        let stored = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; SECCHAT_BLESS=1 writes it", path.display()));
        for (number, (stored, made)) in stored.lines().zip(self.text.lines()).enumerate() {
            assert_eq!(stored, made, "{}:{}", path.display(), number + 1);
        }
        assert_eq!(stored.lines().count(), self.text.lines().count(), "{}: its length", path.display());
    }
}

impl Block {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Bytes that must be there.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.value(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.value("case"))))
    }

    /// The case's name.
    pub(crate) fn case(&self) -> &str {
        self.value("case").unwrap_or_default().trim_matches('"')
    }

    /// Whether there is such a line.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }
}

/// Whether files are to be written, not compared.
pub(crate) fn blessing() -> bool {
    std::env::var_os("SECCHAT_BLESS").is_some_and(|value| value == "1")
}

/// What cannot be made again (randomised signatures, RSA keys): what the file holds, or what `make` gives when
/// blessing a file without it.
pub(crate) fn kept(file: &VectorFile, case: &str, name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    match file.case(case).filter(|block| block.has(name)) {
        Some(block) => block.bytes(name),
        None if blessing() => make(),
        None => panic!("{}.txt has no {name} in case {case:?}; SECCHAT_BLESS=1 makes it", file.name),
    }
}

/// Lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// The bytes of lowercase hex.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "an odd number of hex digits");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Entropy for vectors: the bytes that a file lists, in the order in which they are taken.
#[derive(Debug)]
pub(crate) struct ListedEntropy(pub(crate) Vec<u8>);

impl secchat_proto::crypto::entropy::Entropy for ListedEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), secchat_proto::Error> {
        assert!(out.len() <= self.0.len(), "the listed entropy is too short");
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

/// `length` bytes that anybody can make from a text: SHA-256 of `text | counter`, concatenated.
pub(crate) fn bytes_of(text: &str, length: usize) -> Vec<u8> {
    (0_u8..)
        .flat_map(|counter| openssl::sha::sha256(&[text.as_bytes(), &[counter]].concat()))
        .take(length)
        .collect()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(format!("{name}.txt"))
}
