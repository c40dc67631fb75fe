//! Quoting in CSV files: where a record ends, and what its cells are. As RFC 4180 has it, and lenient where files are
//! not: text behind a closing quote belongs to the cell, and a quote inside a cell that does not begin with one is text.

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote inside a quoted cell: its end, or the first of a doubled one.
    Quote,
}

impl State {
    const fn after(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::CellStart, b'"') | (Self::Quote, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::Quote,
            (Self::Quoted, _) => Self::Quoted,
            (_, b'\n') => Self::CellStart,
            (Self::Quote, b'\r') => Self::Quote,
            (_, byte) if byte == delimiter => Self::CellStart,
            _ => Self::Plain,
        }
    }
}

/// Follows the quotes through the lines of a record.
pub(super) struct Quotes {
    state: State,
    delimiter: u8,
}

impl Quotes {
    pub(super) const fn new(delimiter: u8) -> Self {
        Self { state: State::CellStart, delimiter }
    }

    /// Reads on; returns whether a quote is open at the end.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        // Most lines have no quote at all.
        if self.state == State::CellStart && !bytes.contains(&b'"') {
            return false;
        }
        for byte in bytes {
            self.state = self.state.after(*byte, self.delimiter);
        }
        self.state == State::Quoted
    }
}

/// The cells of one record (without its line end), into `cells`, whose texts are used again.
pub(super) fn split(record: &str, delimiter: u8, cells: &mut Vec<String>) {
    let mut count = 0;
    let mut next = |cells: &mut Vec<String>| {
        if count == cells.len() {
            cells.push(String::new());
        } else {
            cells[count].clear();
        }
        count += 1;
        count - 1
    };
    let mut cell = next(cells);
    let mut state = State::CellStart;
    // Everything that has a meaning is ASCII, so that pieces between are whole characters.
    let mut from = 0;
    for (at, byte) in record.bytes().enumerate() {
        let before = state;
        state = state.after(byte, delimiter);
        let is_syntax = match (before, state) {
            (State::CellStart, State::Quoted) | (State::Quoted, State::Quote) => true,
            (State::Quoted, _) => false,
            (_, State::CellStart) => byte == delimiter,
            _ => false,
        };
        if is_syntax {
            cells[cell].push_str(&record[from..at]);
            from = at + 1;
        }
        if state == State::CellStart && byte == delimiter {
            cell = next(cells);
        }
    }
    cells[cell].push_str(&record[from..]);
    cells.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(record: &str) -> Vec<String> {
        let mut cells = vec!["left over".to_owned(); 3];
        split(record, b',', &mut cells);
        cells
    }

    #[test]
    fn cells_are_what_the_file_means() {
        for (record, expected) in [
            ("a,b,c", vec!["a", "b", "c"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            ("a,,", vec!["a", "", ""]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"say \"\"hi\"\"\",x", vec!["say \"hi\"", "x"]),
            ("\"two\nlines\",x", vec!["two\nlines", "x"]),
            ("\"\",x", vec!["", "x"]),
            ("\"a\"b,c", vec!["ab", "c"]),
            ("5\" pipe,c", vec!["5\" pipe", "c"]),
            ("Zoë,\"Łukasz \"\"Ż\"\"\"", vec!["Zoë", "Łukasz \"Ż\""]),
        ] {
            assert_eq!(cells(record), expected, "{record:?}");
        }
    }

    #[test]
    fn a_record_goes_on_while_a_quote_is_open() {
        let mut quotes = Quotes::new(b',');
        assert!(quotes.feed(b"1,\"first\n"));
        assert!(quotes.feed(b"second \"\"quoted\"\"\n"));
        assert!(!quotes.feed(b"third\",x\r\n"));
        assert!(!Quotes::new(b',').feed(b"5\" pipe,x\n"));
        assert!(!Quotes::new(b';').feed(b"a;\"b\"\r\n"));
    }
}
