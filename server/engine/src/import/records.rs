//! A file cut into its records, with the physical line each begins on. Reads on from any place where a record ended.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::{RECORD_MAX, csv_record::Quotes};

/// How records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv {
        delimiter: u8,
    },
    /// One object a line.
    Jsonl,
    /// The elements of one array; reading begins behind its bracket (see [`inside_array`]).
    Json,
}

/// A place in a file: bytes before it, and its line, the first being 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub byte: u64,
    pub line: i64,
}

/// A record as it stands in the file, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub line: i64,
    pub text: String,
    /// Too long, or a quote or bracket is never closed; `text` is its beginning.
    pub broken: bool,
}

/// The records of a file in UTF-8.
pub(super) struct Records<R: Read> {
    input: BufReader<R>,
    form: Form,
    place: Place,
    buffer: Vec<u8>,
}

impl<R: Read + Seek> Records<R> {
    /// Reads on from `place`.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub(super) fn new(input: R, form: Form, place: Place) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(256 * 1024, input);
        input.seek(SeekFrom::Start(place.byte))?;
        Ok(Self { input, form, place, buffer: Vec::new() })
    }

    /// Where the next record begins, or the blank space before it.
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// The next record.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        match self.form {
            Form::Csv { delimiter } => self.next_lines(Some(delimiter)),
            Form::Jsonl => self.next_lines(None),
            Form::Json => self.next_element(),
        }
    }

    /// A record of one line, or of several while a quote is open.
    fn next_lines(&mut self, delimiter: Option<u8>) -> io::Result<Option<Record>> {
        self.buffer.clear();
        let mut start = self.place;
        while self.append_line()? {
            if self.buffer.iter().all(u8::is_ascii_whitespace) {
                self.buffer.clear();
                start = self.place;
                continue;
            }
            let first_line = (self.place, self.buffer.len());
            let mut broken = self.buffer.len() > RECORD_MAX;
            if let Some(delimiter) = delimiter
                && !broken
            {
                broken = !self.close_quotes(Quotes::new(delimiter))?;
                if broken {
                    // The quote was never meant as one: the record is its line, and reading goes on behind that.
                    self.place = first_line.0;
                    self.input.seek(SeekFrom::Start(self.place.byte))?;
                    self.buffer.truncate(first_line.1);
                }
            }
            return Ok(Some(self.record(start.line, broken)));
        }
        Ok(None)
    }

    /// Appends lines until no quote is open; false when that does not come about.
    fn close_quotes(&mut self, mut quotes: Quotes) -> io::Result<bool> {
        let mut fed = 0;
        loop {
            let open = quotes.feed(&self.buffer[fed..]);
            if !open {
                return Ok(true);
            }
            fed = self.buffer.len();
            if fed > RECORD_MAX || !self.append_line()? {
                return Ok(false);
            }
        }
    }

    /// Appends a line with its end. What goes beyond the limit is read over; the buffer is then longer than the limit.
    fn append_line(&mut self) -> io::Result<bool> {
        let room = (RECORD_MAX + 1).saturating_sub(self.buffer.len()).max(1);
        let read = (&mut self.input).take(room as u64).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(false);
        }
        let mut bytes = read as u64;
        if self.buffer.last() != Some(&b'\n') {
            bytes += self.skip_line()?;
        }
        self.place.byte += bytes;
        self.place.line += 1;
        Ok(true)
    }

    fn skip_line(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let block = self.input.fill_buf()?;
            let end = block.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let length = end.unwrap_or(block.len());
            self.input.consume(length);
            skipped += length as u64;
            if end.is_some() || length == 0 {
                return Ok(skipped);
            }
        }
    }

    /// The next element of the array.
    fn next_element(&mut self) -> io::Result<Option<Record>> {
        self.buffer.clear();
        let Some(first) = self.begin_element()? else { return Ok(None) };
        let line = self.place.line;
        let mut scan = Scan::default();
        let mut byte = first;
        let complete = loop {
            if self.buffer.len() <= RECORD_MAX {
                self.buffer.push(byte);
            }
            self.consume(byte);
            if scan.is_complete_after(byte) {
                break true;
            }
            match self.peek()? {
                None => break scan.is_scalar(),
                Some(next) if scan.is_scalar() && matches!(next, b',' | b']') => break true,
                Some(next) => byte = next,
            }
        };
        let broken = !complete || self.buffer.len() > RECORD_MAX;
        Ok(Some(self.record(line, broken)))
    }

    /// Skips what stands between elements.
    fn begin_element(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            match byte {
                b']' => return Ok(None),
                _ if byte == b',' || byte.is_ascii_whitespace() => self.consume(byte),
                byte => return Ok(Some(byte)),
            }
        }
        Ok(None)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn consume(&mut self, byte: u8) {
        self.input.consume(1);
        self.place.byte += 1;
        self.place.line += i64::from(byte == b'\n');
    }

    fn record(&self, line: i64, broken: bool) -> Record {
        let mut text = String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(RECORD_MAX)]).into_owned();
        let length = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(length);
        Record { line, text, broken }
    }
}

/// Where the elements of a file's array begin, if its text (from `from` on) begins with one.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn inside_array<R: Read + Seek>(input: R, from: Place) -> io::Result<Option<Place>> {
    let mut records = Records::new(input, Form::Json, from)?;
    while let Some(byte) = records.peek()? {
        records.consume(byte);
        match byte {
            b'[' => return Ok(Some(records.place)),
            byte if byte.is_ascii_whitespace() => {}
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Follows brackets and strings through an element of an array.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    opened: bool,
}

impl Scan {
    /// Whether the element ends with this byte.
    const fn is_complete_after(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    return self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.opened = true;
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.opened = true;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// A number or word: it ends where something else begins.
    const fn is_scalar(&self) -> bool {
        !self.opened
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const START: Place = Place { byte: 0, line: 1 };
    const CSV: Form = Form::Csv { delimiter: b',' };

    fn records(text: &str, form: Form) -> Vec<(i64, String, bool)> {
        let start = match form {
            Form::Json => inside_array(Cursor::new(text.as_bytes()), START).unwrap().unwrap(),
            _ => START,
        };
        let mut records = Records::new(Cursor::new(text.as_bytes()), form, start).unwrap();
        let mut all = Vec::new();
        while let Some(record) = records.next().unwrap() {
            // Reading on from behind any record gives the same as reading on.
            let mut again = Records::new(Cursor::new(text.as_bytes()), form, records.place()).unwrap();
            let mut onward = Records::new(Cursor::new(text.as_bytes()), form, start).unwrap();
            for _ in 0..=all.len() {
                onward.next().unwrap();
            }
            assert_eq!(again.next().unwrap(), onward.next().unwrap());
            all.push((record.line, record.text, record.broken));
        }
        all
    }

    fn good(line: i64, text: &str) -> (i64, String, bool) {
        (line, text.to_owned(), false)
    }

    fn broken(line: i64, text: &str) -> (i64, String, bool) {
        (line, text.to_owned(), true)
    }

    #[test]
    fn lines_are_counted_as_they_stand_in_the_file() {
        assert_eq!(
            records("a,b\r\n\r\n1,\"x\ny\"\r\n\n2,z", CSV),
            [good(1, "a,b"), good(3, "1,\"x\ny\""), good(6, "2,z")]
        );
    }

    #[test]
    fn an_open_quote_costs_only_its_own_line() {
        assert_eq!(
            records("a,b\n1,\"x\n2,y\n3,z\n", CSV),
            [good(1, "a,b"), broken(2, "1,\"x"), good(3, "2,y"), good(4, "3,z")]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_broken_and_the_next_one_is_not() {
        let long = "x".repeat(RECORD_MAX * 2);
        let found = records(&format!("{long}\nnext\n"), CSV);
        assert_eq!(found[1], good(2, "next"));
        assert!(found[0].2 && found[0].1.len() == RECORD_MAX);
    }

    #[test]
    fn objects_of_lines_are_records() {
        assert_eq!(
            records("{\"a\":1}\n\n{\"a\":\"\\\"\"}\n", Form::Jsonl),
            [good(1, "{\"a\":1}"), good(3, "{\"a\":\"\\\"\"}")]
        );
    }

    #[test]
    fn elements_of_an_array_are_records() {
        let text = "[\n {\"a\": \"}]\\\"\", \"b\": [1, {\"c\": 2}]},\n\n {\"a\":\n 2}, 7 , \"x\", null]\n";
        assert_eq!(
            records(text, Form::Json),
            [
                good(2, "{\"a\": \"}]\\\"\", \"b\": [1, {\"c\": 2}]}"),
                good(4, "{\"a\":\n 2}"),
                good(5, "7 "),
                good(5, "\"x\""),
                good(5, "null"),
            ]
        );
        assert_eq!(records("[]", Form::Json), []);
        assert_eq!(records(" [[1], {}]", Form::Json), [good(1, "[1]"), good(1, "{}")]);
        assert_eq!(inside_array(Cursor::new(b"{}"), START).unwrap(), None);
    }

    #[test]
    fn an_array_that_breaks_off_ends_in_a_broken_record() {
        assert_eq!(records("[{\"a\":1}, {\"b\":", Form::Json), [good(1, "{\"a\":1}"), broken(1, "{\"b\":")]);
    }
}
