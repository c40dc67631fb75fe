//! Errors of a rendering in words, and which variable is missing.

use minijinja::{Environment, Error, ErrorKind};

use super::{
    compiled::{RenderError, Source, fill},
    facts::{Facts, Path},
};

/// What an error means for this person.
pub(super) fn explain(environment: &Environment<'_>, source: &Source, facts: &Facts<'_>, error: &Error) -> RenderError {
    match culprit(environment, source, facts, &[], error) {
        Some(path) => RenderError::Missing { variable: path.join(".") },
        None => RenderError::Invalid { line: line(error), message: words(error) },
    }
}

/// The missing variable that the error comes from: the one with which the text gets further. minijinja does not name
/// it, and a variable may be missing without harm, where the template says what to write instead.
pub(super) fn culprit<'a>(
    environment: &Environment<'_>,
    source: &'a Source,
    facts: &Facts<'_>,
    stand_ins: &[&'a Path],
    error: &Error,
) -> Option<&'a Path> {
    if error.kind() != ErrorKind::UndefinedError {
        return None;
    }
    let missing: Vec<&Path> =
        source.paths.iter().filter(|path| !stand_ins.contains(path) && !facts.has(path)).collect();
    if let [only] = missing[..] {
        return Some(only);
    }
    let gets_further = |path: &&&Path| {
        let with: Vec<&Path> = stand_ins.iter().copied().chain([**path]).collect();
        match fill(environment, source, facts, &with) {
            Ok(_) => true,
            Err(next) => next.kind() != error.kind() || next.line() != error.line(),
        }
    };
    missing.iter().find(gets_further).or(missing.first()).copied()
}

/// The line an error is on; the first is 1.
pub(super) fn line(error: &Error) -> u32 {
    error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1).max(1)
}

/// An error for the person who wrote the template.
pub(super) fn words(error: &Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => "The template does too much work. Make it shorter.".to_owned(),
        ErrorKind::UndefinedError => "A value is missing here. Say what to write instead: |default('…').".to_owned(),
        ErrorKind::SyntaxError => {
            format!("This cannot be read: {}.", error.detail().unwrap_or("check the brackets"))
        }
        kind => {
            let text = error.detail().map_or_else(|| kind.to_string(), str::to_owned);
            let mut letters = text.chars();
            letters.next().map_or(text.clone(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
        }
    }
}
