//! What the kernel says of this process. Where it says nothing, zero.

/// Bytes of memory.
pub(crate) fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0).saturating_mul(1_024)
}

/// File descriptors in use; the one that counts them is none of them.
pub(crate) fn open_files() -> usize {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    entries.count().saturating_sub(1)
}
