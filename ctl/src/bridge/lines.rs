//! Standard input in lines of bounded length.

use std::io::{self, BufRead, Read as _};

use tokio::sync::mpsc;

use crate::failure::Failure;

/// A line, or why it is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Text(Vec<u8>),
    /// Longer than [`MAX_LINE_BYTES`]: all of it was passed over.
    TooLong,
}

/// The lines of standard input, read in a thread of its own: it cannot be read otherwise without waiting.
#[derive(Debug)]
pub(crate) struct Lines(mpsc::Receiver<io::Result<Line>>);

impl Lines {
    pub(crate) fn of_stdin() -> Self {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        std::thread::spawn(move || {
            let mut input = io::stdin().lock();
            while let Some(line) = next(&mut input).transpose() {
                let failed = line.is_err();
                if sender.blocking_send(line).is_err() || failed {
                    break;
                }
            }
        });
        Self(receiver)
    }

    /// The next line; none at the end. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, Failure> {
        let line = self.0.recv().await.transpose();
        line.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))
    }
}

fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if input.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.pop_if(|byte| *byte == b'\n').is_none() && bytes.len() > MAX_LINE_BYTES {
        skip_line(input)?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Text(bytes)))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let passed = end.map_or(buffer.len(), |at| at.saturating_add(1));
        input.consume(passed);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// Bytes of a line at most: the longest text with every byte of it escaped as `\u00XX`, and room for the rest.
pub(crate) const MAX_LINE_BYTES: usize = 262_144;

/// Lines that wait for the bridge at most.
const READ_AHEAD: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_long_ones_passed_over() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        let longer = vec![b'y'; MAX_LINE_BYTES + 1];
        let endless = vec![b'z'; 3 * MAX_LINE_BYTES];
        let parts: [&[u8]; 6] = [b"one", b"", &longest, &longer, &endless, b"last"];
        let input = parts.join(&b'\n');
        let mut input = &input[..];
        let read: Vec<Line> = std::iter::from_fn(|| next(&mut input).unwrap()).collect();
        let text = |bytes: &[u8]| Line::Text(bytes.to_owned());
        assert_eq!(
            read,
            [text(b"one"), text(b""), text(&longest), Line::TooLong, Line::TooLong, text(b"last")]
        );
    }

    #[test]
    fn the_longest_text_fits_however_it_is_escaped() {
        let call = r#"{"jsonrpc":"2.0","id":"…","method":"send","params":{"peer":"…","text":"…"}}"#;
        assert!(call.len() + 256 + 32 + 6 * secchat_ipc::codec::MAX_TEXT_BYTES <= MAX_LINE_BYTES);
    }
}
