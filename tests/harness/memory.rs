//! A running process's memory, searched for bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;

const PAGE_BYTES: u64 = 4_096;

/// A process's memory that it can write to.
#[derive(Debug)]
pub struct Memory {
    file: File,
    maps: String,
}

impl Memory {
    /// `None` where we may not read it: our programs forbid it to all but root.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let file = File::open(format!("/proc/{pid}/mem")).ok()?;
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        Some(Self { file, maps })
    }

    /// Where these bytes are, and what is around them; stacks too.
    ///
    /// # Panics
    /// When the system's list of the memory cannot be understood; so below.
    #[must_use]
    pub fn find(&self, needle: &[u8]) -> Vec<String> {
        self.search(needle, true)
    }

    /// The same, without what functions have left on the stacks that have returned.
    #[must_use]
    pub fn find_outside_stacks(&self, needle: &[u8]) -> Vec<String> {
        self.search(needle, false)
    }

    fn search(&self, needle: &[u8], with_stacks: bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut guarded = None;
        for map in self.maps.lines() {
            let mut words = map.split_whitespace();
            let range = words.next().and_then(|range| range.split_once('-')).expect("a range");
            let [start, end] = [range.0, range.1].map(|at| u64::from_str_radix(at, 16).expect("an address"));
            let rights = words.next().expect("rights");
            // A thread's stack lies above a page that nobody may touch.
            let is_stack = guarded == Some(start) || map.ends_with("[stack]");
            guarded = (rights == "---p" && end - start == PAGE_BYTES).then_some(end);
            if is_stack && !with_stacks || !rights.starts_with("rw") {
                continue;
            }
            let mut bytes = vec![0; usize::try_from(end - start).expect("a size")];
            // What cannot be read is no memory.
            let Ok(()) = self.file.read_exact_at(&mut bytes, start) else { continue };
            let mut at = 0;
            while let Some(next) = bytes[at..].iter().position(|byte| *byte == needle[0]) {
                at += next;
                if bytes[at..].starts_with(needle) {
                    let around = &bytes[at.saturating_sub(48)..(at + needle.len() + 48).min(bytes.len())];
                    found.push(format!("{map} +{at:#x}: {}", around.escape_ascii()));
                }
                at += 1;
            }
        }
        found
    }
}
