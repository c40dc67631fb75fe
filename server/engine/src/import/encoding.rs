//! Which characters a file's bytes stand for. Everything is brought to UTF-8 before it is read.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

const BLOCK: usize = 64 * 1024;

/// So many control characters may stand in a small text.
const FEW: usize = 16;

/// What a file's bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// UTF-8; the text begins behind so many bytes (its byte order mark).
    Utf8 {
        from: u64,
    },
    /// To be rewritten.
    Other {
        encoding: &'static Encoding,
        old_line_ends: bool,
    },
    Empty,
    /// No text. What it seems to be, where that is known.
    Binary(Option<&'static str>),
}

/// Files that are often uploaded by mistake.
const MAGIC: [(&[u8], &str); 7] = [
    (b"PK\x03\x04", "an Excel workbook or another zipped file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
];

/// Reads a file through and tells what it holds.
///
/// # Errors
/// When it cannot be read.
pub(super) fn examine(path: &Path) -> io::Result<Verdict> {
    let mut file = File::open(path)?;
    let mut tally = Tally::default();
    let mut block = vec![0; BLOCK];
    let mut kept = 0;
    let mut first = true;
    loop {
        let read = file.read(&mut block[kept..])?;
        let filled = kept + read;
        if first {
            if let Some(verdict) = by_beginning(&block[..filled]) {
                return Ok(verdict);
            }
            first = false;
        }
        let rest = tally.count(&block[..filled], read == 0);
        if read == 0 {
            break;
        }
        block.copy_within(filled - rest..filled, 0);
        kept = rest;
    }
    Ok(tally.verdict())
}

/// What the first block tells already.
fn by_beginning(block: &[u8]) -> Option<Verdict> {
    if block.is_empty() {
        return Some(Verdict::Empty);
    }
    if let Some((encoding, _)) = Encoding::for_bom(block)
        && (encoding == UTF_16LE || encoding == UTF_16BE)
    {
        return Some(Verdict::Other { encoding, old_line_ends: false });
    }
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| block.starts_with(magic)) {
        return Some(Verdict::Binary(Some(what)));
    }
    if let Some(encoding) = unmarked_utf16(block) {
        return Some(Verdict::Other { encoding, old_line_ends: false });
    }
    let strange = |byte: &&u8| matches!(**byte, 0..=8 | 14..=31) && **byte != 0x1a;
    // One NUL in a cell is an accident of the program that wrote the file, not another kind of file.
    let found = block.iter().filter(strange).count();
    let is_binary = found * 10 > block.len() || (found > FEW && found * 100 > block.len());
    is_binary.then_some(Verdict::Binary(None))
}

/// UTF-16 without its mark: of the bytes of a table's commas, digits and line ends every second one is zero.
fn unmarked_utf16(block: &[u8]) -> Option<&'static Encoding> {
    // A file that fits into one block has whole characters.
    if block.len() < BLOCK && !block.len().is_multiple_of(2) {
        return None;
    }
    let zeros = |second: usize| block.chunks_exact(2).filter(|pair| pair[second] == 0).count();
    let (high_first, low_first) = (zeros(0), zeros(1));
    let many = |zeros: usize, others: usize| zeros * 4 > block.len() / 2 && zeros > others * 10;
    let encoding = match (many(high_first, low_first), many(low_first, high_first)) {
        (true, _) => UTF_16BE,
        (_, true) => UTF_16LE,
        _ => return None,
    };
    let even = block.len() - block.len() % 2;
    let (text, _) = encoding.decode_without_bom_handling(&block[..even]);
    let strange = text.chars().filter(|c| (c.is_control() && !c.is_ascii_whitespace()) || *c == '\u{fffd}').count();
    (strange * 100 <= text.chars().count()).then_some(encoding)
}

#[derive(Default)]
struct Tally {
    bytes: u64,
    has_mark: bool,
    /// Characters of several bytes, well formed and not.
    wide: u64,
    broken: u64,
    text: bool,
    line_feeds: bool,
    carriage_returns: bool,
}

impl Tally {
    /// Counts a block; returns how many bytes at its end belong to a character that is not complete.
    fn count(&mut self, block: &[u8], is_last: bool) -> usize {
        if self.bytes == 0 && block.starts_with(b"\xef\xbb\xbf") {
            self.has_mark = true;
        }
        self.line_feeds |= block.contains(&b'\n');
        self.carriage_returns |= block.contains(&b'\r');
        self.text |= block.iter().any(|byte| !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf));
        let mut rest = block;
        loop {
            let (valid, error) = match std::str::from_utf8(rest) {
                Ok(valid) => (valid.len(), None),
                Err(error) => (error.valid_up_to(), Some(error.error_len())),
            };
            self.wide += rest[..valid].iter().filter(|byte| **byte >= 0xc0).count() as u64;
            rest = &rest[valid..];
            match error {
                None => break,
                Some(Some(length)) => {
                    self.broken += 1;
                    rest = &rest[length..];
                }
                Some(None) if is_last => {
                    self.broken += 1;
                    rest = &[];
                    break;
                }
                Some(None) => break,
            }
        }
        self.bytes += (block.len() - rest.len()) as u64;
        rest.len()
    }

    fn verdict(&self) -> Verdict {
        if !self.text {
            return Verdict::Empty;
        }
        let old_line_ends = self.carriage_returns && !self.line_feeds;
        if self.broken > self.wide {
            return Verdict::Other { encoding: WINDOWS_1252, old_line_ends };
        }
        if self.broken > 0 || old_line_ends {
            return Verdict::Other { encoding: UTF_8, old_line_ends };
        }
        Verdict::Utf8 { from: if self.has_mark { 3 } else { 0 } }
    }
}

/// Writes a file's text as UTF-8; what cannot be read becomes U+FFFD.
///
/// # Errors
/// When reading or writing fails.
pub(super) fn rewrite(from: &Path, to: &Path, encoding: &'static Encoding, old_line_ends: bool) -> io::Result<()> {
    let mut input = File::open(from)?;
    let mut output = BufWriter::new(File::create(to)?);
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut block = vec![0; BLOCK];
    let mut text = String::with_capacity(BLOCK * 3 + 16);
    loop {
        let read = input.read(&mut block)?;
        text.clear();
        // Three bytes of UTF-8 for one of any of these encodings, and a little for what was kept: always enough.
        let _ = decoder.decode_to_string(&block[..read], &mut text, read == 0);
        // The text keeps its room for the next block: the decoder writes no further than that.
        if old_line_ends {
            output.write_all(text.replace('\r', "\n").as_bytes())?;
        } else {
            output.write_all(text.as_bytes())?;
        }
        if read == 0 {
            break;
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(bytes: &[u8]) -> Verdict {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        examine(&path).unwrap()
    }

    fn read_as_utf8(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, bytes).unwrap();
        match examine(&from).unwrap() {
            Verdict::Utf8 { from: start } => {
                String::from_utf8(bytes[usize::try_from(start).unwrap()..].to_vec()).unwrap()
            }
            Verdict::Other { encoding, old_line_ends } => {
                rewrite(&from, &to, encoding, old_line_ends).unwrap();
                std::fs::read_to_string(&to).unwrap()
            }
            verdict => panic!("no text: {verdict:?}"),
        }
    }

    #[test]
    fn every_usual_encoding_gives_the_same_text() {
        let text = "phone,name\n+94771234567,Zoë Müller\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
            little,
            big,
            western,
        ] {
            assert_eq!(read_as_utf8(&bytes), text);
        }
    }

    #[test]
    fn one_broken_character_does_not_spoil_the_others() {
        let bytes = ["Zoë Müller Łukasz ".as_bytes(), b"\xff", " Žižek".as_bytes()].concat();
        assert_eq!(read_as_utf8(&bytes), "Zoë Müller Łukasz \u{fffd} Žižek");
    }

    #[test]
    fn line_ends_of_old_files_are_understood() {
        assert_eq!(read_as_utf8(b"phone\r+94771234567\r"), "phone\n+94771234567\n");
        assert_eq!(read_as_utf8(b"phone\r\n+94771234567\r\n"), "phone\r\n+94771234567\r\n");
    }

    #[test]
    fn a_character_may_stand_across_two_blocks() {
        let text = format!("{}é{}", "x".repeat(BLOCK - 1), "y".repeat(BLOCK));
        assert_eq!(examined(text.as_bytes()), Verdict::Utf8 { from: 0 });
    }

    #[test]
    fn a_long_file_of_another_encoding_is_read_to_its_end() {
        let text = format!("phone,name\n{}", "+33612345678,Zoé Müller\n".repeat(9_000));
        let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        assert!(western.len() > 3 * BLOCK);
        assert!(read_as_utf8(&western) == text);
    }

    #[test]
    fn texts_of_two_bytes_a_character_are_known_without_their_mark() {
        let text = format!("phone,name\n{}", "+94771234567,නිමල් පෙරේරා\n".repeat(4_000));
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(read_as_utf8(&little) == text && read_as_utf8(&big) == text);
    }

    #[test]
    fn a_nul_in_a_cell_does_not_make_a_file_binary() {
        assert_eq!(examined(b"phone,name\n+94771234567,A\0nn\n"), Verdict::Utf8 { from: 0 });
        let numbers: Vec<u8> = (0_u32..1_000).flat_map(u32::to_le_bytes).collect();
        assert_eq!(examined(&numbers), Verdict::Binary(None));
        let shorts: Vec<u8> = (0_u16..31).cycle().take(1_000).flat_map(u16::to_le_bytes).collect();
        assert_eq!(examined(&shorts), Verdict::Binary(None));
    }

    #[test]
    fn what_is_no_text_is_told() {
        assert_eq!(examined(b""), Verdict::Empty);
        assert_eq!(examined(b"\xef\xbb\xbf \r\n"), Verdict::Empty);
        assert_eq!(examined(b"a\0b"), Verdict::Binary(None));
        assert!(matches!(examined(b"PK\x03\x04rest"), Verdict::Binary(Some(_))));
    }
}
