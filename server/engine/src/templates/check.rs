//! What can be wrong with a template's text, found before anybody is sent anything. minijinja finds errors of syntax;
//! the names of filters, tests and functions it looks up only where a rendering comes by, so they are checked here.

use domain::template::TemplateProblem;

use super::sandbox::{FILTERS, FUNCTIONS, STATEMENTS, TESTS};

/// Words that stand before a bracket without being a function.
const OPERATORS: &[&str] = &["if", "elif", "else", "in", "and", "or", "not", "is", "for", "set", "filter", "with"];

/// Every unknown name in the template, with its line.
pub(super) fn unknown_names(source: &str) -> Vec<TemplateProblem> {
    blocks(source).iter().flat_map(Block::unknown_names).collect()
}

/// The code between two brackets.
struct Block<'a> {
    /// The line it begins on; the first is 1.
    line: u32,
    /// `{% … %}`, not `{{ … }}`.
    statement: bool,
    /// Each with the number of lines it stands below the beginning.
    tokens: Vec<(u32, Token<'a>)>,
}

impl<'a> Block<'a> {
    fn unknown_names(&self) -> Vec<TemplateProblem> {
        if self.statement
            && let Some((offset, Token::Word(word))) = self.tokens.first()
            && !STATEMENTS.contains(word)
        {
            return vec![self.problem(*offset, format!("There is no `{{% {word} %}}` in templates."))];
        }
        let words = self.tokens.iter().enumerate().filter_map(|(index, (offset, token))| match token {
            Token::Word(word) => Some((index, *offset, *word)),
            _ => None,
        });
        words.filter_map(|(index, offset, word)| Some(self.problem(offset, self.fault(index, word)?))).collect()
    }

    fn problem(&self, offset: u32, message: String) -> TemplateProblem {
        TemplateProblem { line: self.line + offset, message }
    }

    /// What is wrong with a word, by what stands around it.
    fn fault(&self, index: usize, word: &str) -> Option<String> {
        let before = |steps: usize| index.checked_sub(steps).and_then(|at| self.token(at));
        let is_filter = before(1) == Some(Token::Sign('|'))
            || (self.statement && index == 1 && before(1) == Some(Token::Word("filter")));
        let is_test = before(1) == Some(Token::Word("is"))
            || (before(1) == Some(Token::Word("not")) && before(2) == Some(Token::Word("is")));
        let is_called = self.token(index + 1) == Some(Token::Sign('('));
        if is_filter {
            let message = || format!("There is no filter `{word}`. There are: {}.", FILTERS.join(", "));
            return (!FILTERS.contains(&word)).then(message);
        }
        if is_test {
            return (word != "not" && !TESTS.contains(&word)).then(|| format!("There is no test `is {word}`."));
        }
        if is_called && before(1) == Some(Token::Sign('.')) {
            return Some(format!("Values have no functions such as `.{word}()`; use a filter, such as `|upper`."));
        }
        let is_function = is_called && !OPERATORS.contains(&word) && !FUNCTIONS.contains(&word);
        is_function.then(|| format!("There is no function `{word}()`."))
    }

    fn token(&self, index: usize) -> Option<Token<'a>> {
        self.tokens.get(index).map(|(_, token)| *token)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Sign(char),
    /// A text or a number.
    Literal,
}

/// The code in a template, without comments and what `{% raw %}` keeps as it is.
fn blocks(source: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = source[at..].find('{') {
        let start = at + found;
        let (statement, close) = match source.as_bytes().get(start + 1) {
            Some(b'{') => (false, "}}"),
            Some(b'%') => (true, "%}"),
            Some(b'#') => {
                at = source[start..].find("#}").map_or(source.len(), |end| start + end + 2);
                continue;
            }
            _ => {
                at = start + 1;
                continue;
            }
        };
        let (tokens, end) = tokens(source, start + 2, close);
        at = end;
        if statement && tokens.first().is_some_and(|(_, token)| *token == Token::Word("raw")) {
            at = source[end..].find("endraw").map_or(source.len(), |found| end + found);
            at = source[at..].find("%}").map_or(source.len(), |found| at + found + 2);
            continue;
        }
        blocks.push(Block { line: 1 + lines(&source[..start]), statement, tokens });
    }
    blocks
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

/// The tokens from `start` to the closing sign, and where the block ends.
fn tokens<'a>(source: &'a str, start: usize, close: &str) -> (Vec<(u32, Token<'a>)>, usize) {
    let mut tokens = Vec::new();
    let mut at = start;
    while let Some(next) = source[at..].chars().next() {
        let offset = lines(&source[start..at]);
        if source[at..].trim_start_matches('-').starts_with(close) {
            let dashes = source[at..].len() - source[at..].trim_start_matches('-').len();
            return (tokens, at + dashes + close.len());
        }
        let rest = &source[at + next.len_utf8()..];
        let length = match next {
            '"' | '\'' => {
                tokens.push((offset, Token::Literal));
                end_of_text(rest, next)
            }
            _ if next.is_alphabetic() || next == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push((offset, Token::Word(&source[at..at + next.len_utf8() + length])));
                length
            }
            _ if next.is_ascii_digit() => {
                tokens.push((offset, Token::Literal));
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            _ => {
                if !next.is_whitespace() && next != '-' && next != '+' {
                    tokens.push((offset, Token::Sign(next)));
                }
                0
            }
        };
        at += next.len_utf8() + length;
    }
    (tokens, source.len())
}

/// Where a text that began before `rest` ends, behind its closing quote.
fn end_of_text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return index + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(source: &str) -> Vec<u32> {
        unknown_names(source).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn known_names_pass() {
        for source in [
            "Hi {{ first_name|default('there')|title }}, {{ 'a|nofilter' }}",
            "{% if vip is defined and not (age > 3) %}{{ x | round(2) }}{% elif a is not none %}{% endif %}",
            "{% for i in range(3) %}{{ loop.index }}{% endfor %}{%- set x = 1 -%}{{- x -}}",
            "{% raw %}{{ x|nofilter }}{% endraw %}{# {{ y|nofilter }} #} a { b } {",
            "{% filter upper %}x{% endfilter %}",
        ] {
            assert_eq!(unknown_names(source), [], "{source}");
        }
    }

    #[test]
    fn unknown_names_are_told_with_their_line() {
        assert_eq!(lines_of("a\n{{ x|upcase }}\n{{ y|default(z|shout) }}"), [2, 3]);
        assert_eq!(lines_of("{{ now() }}\n{{ name.upper() }}"), [1, 2]);
        assert_eq!(lines_of("{% if x is prime %}{% endif %}"), [1]);
        assert_eq!(lines_of("{% include 'x' %}\n{% macro m() %}{% endmacro %}"), [1, 2, 2]);
        assert_eq!(lines_of("{{ x\n|upcase }}"), [2]);
        assert_eq!(lines_of("{% filter shout %}x{% endfilter %}"), [1]);
    }
}
