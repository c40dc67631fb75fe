//! A body taken apart into lines as it comes; no more of it is kept than a batch.

use super::LINE_LIMIT;

/// A physical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The first is 1.
    pub number: u64,
    /// None: it was longer than is taken.
    pub bytes: Option<Vec<u8>>,
}

/// Lines that are complete, and the beginning of the next.
#[derive(Default)]
pub(super) struct Lines {
    complete: Vec<Line>,
    begun: Vec<u8>,
    is_too_long: bool,
    /// Of lines that ended.
    ended: u64,
}

impl Lines {
    pub(super) const fn len(&self) -> usize {
        self.complete.len()
    }

    /// Takes bytes until `most` lines are complete; returns those that are left.
    pub(super) fn push<'a>(&mut self, mut bytes: &'a [u8], most: usize) -> &'a [u8] {
        while self.complete.len() < most {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.add(bytes);
                return &[];
            };
            self.add(&bytes[..end]);
            self.end();
            bytes = &bytes[end + 1..];
        }
        bytes
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.begun.len() + bytes.len() > LINE_LIMIT {
            self.is_too_long = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    /// The line that was begun is complete; empty ones are not kept.
    pub(super) fn end(&mut self) {
        self.ended += 1;
        let mut bytes = std::mem::take(&mut self.begun);
        if self.ended == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if std::mem::take(&mut self.is_too_long) {
            self.complete.push(Line { number: self.ended, bytes: None });
        } else if !bytes.trim_ascii().is_empty() {
            self.complete.push(Line { number: self.ended, bytes: Some(bytes) });
        }
    }

    pub(super) fn take(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], piece: usize, most: usize) -> Vec<(u64, Option<String>)> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in text.chunks(piece) {
            let mut rest = piece;
            while !rest.is_empty() {
                rest = lines.push(rest, most);
                assert!(lines.len() <= most);
                if lines.len() == most {
                    found.extend(lines.take());
                }
            }
        }
        lines.end();
        found.extend(lines.take());
        found.into_iter().map(|line| (line.number, line.bytes.map(|bytes| String::from_utf8(bytes).unwrap()))).collect()
    }

    #[test]
    fn lines_are_counted_as_an_editor_does_however_they_come() {
        let text = b"\xef\xbb\xbfone\r\n\n  \ntwo\nthree";
        let expected = [(1, "one\r"), (4, "two"), (5, "three")].map(|(line, text)| (line, Some(text.to_owned())));
        for (piece, most) in [(1, 1), (2, 2), (3, 1), (100, 1), (100, 100)] {
            assert_eq!(all(text, piece, most), expected, "{piece} {most}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_one_bad_line() {
        let mut text = vec![b'x'; LINE_LIMIT + 1];
        text.extend_from_slice(b"\nshort\n");
        text.extend(vec![b'y'; LINE_LIMIT]);
        for piece in [1_000, LINE_LIMIT, text.len()] {
            let found = all(&text, piece, 10);
            assert_eq!(found[0], (1, None));
            assert_eq!(found[1], (2, Some("short".to_owned())));
            assert_eq!(found[2].1.as_ref().map(String::len), Some(LINE_LIMIT));
        }
    }
}
