//! Errors of a rendering in words, and which variable is missing.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Enumerator, Object, ValueKind},
};

use super::{
    compiled::{RenderError, Source},
    facts::{Facts, Path},
};

/// What an error means for this person.
pub(super) fn explain(environment: &Environment<'_>, source: &Source, facts: &Facts<'_>, error: &Error) -> RenderError {
    match culprit(environment, source, facts, &[], error) {
        Some(path) => RenderError::Missing { variable: path.join(".") },
        None => RenderError::Invalid { line: line(error), message: words(error) },
    }
}

/// The missing variable that an error comes from, when it comes from one.
///
/// minijinja does not name it, and a variable may be missing without harm, where the template says what to write
/// instead. So the text is filled once more, noting what is looked up in vain; the last of it with which the text gets
/// further is the one.
pub(super) fn culprit(
    environment: &Environment<'_>,
    source: &Source,
    facts: &Facts<'_>,
    stand_ins: &[Path],
    error: &Error,
) -> Option<Path> {
    // Reckoning with a missing value is an operation that is not possible.
    if !matches!(error.kind(), ErrorKind::UndefinedError | ErrorKind::InvalidOperation) {
        return None;
    }
    let (_, missed) = watched(environment, source, facts, stand_ins);
    let gets_further = |with: &[Path]| {
        let (outcome, then) = watched(environment, source, facts, &[stand_ins, with].concat());
        match outcome {
            Ok(_) => true,
            Err(next) => {
                let expected: Vec<&Path> = missed.iter().filter(|path| !with.contains(path)).collect();
                let is_same = |one: &Error, other: &Error| {
                    one.kind() == other.kind() && one.line() == other.line() && one.detail() == other.detail()
                };
                !is_same(&next, error) || !then.iter().eq(expected)
            }
        }
    };
    if let Some(path) = missed.iter().rev().find(|path| gets_further(std::slice::from_ref(path))) {
        return Some(path.clone());
    }
    // Several in one expression.
    missed.first().filter(|_| gets_further(&missed)).cloned()
}

/// Fills a text and notes the variables that were looked up in vain, each once, in their order.
fn watched(
    environment: &Environment<'_>,
    source: &Source,
    facts: &Facts<'_>,
    stand_ins: &[Path],
) -> (Result<String, Error>, Vec<Path>) {
    let missed = Arc::new(Mutex::new(Vec::new()));
    let known = facts.context(&source.roots, stand_ins);
    let watched = Watched { path: Vec::new(), known, missed: Arc::clone(&missed) };
    let filled =
        environment.get_template(&source.name).and_then(|template| template.render(Value::from_object(watched)));
    let looked_up = std::mem::take(&mut *missed.lock().unwrap_or_else(PoisonError::into_inner));
    let mut missed: Vec<Path> = Vec::new();
    for path in looked_up {
        // Of `home.city.zone` only `home.city` was looked up, when that is missing already.
        if path.first().is_some_and(|name| environment.globals().any(|(global, _)| global == name)) {
            // A function such as `range`.
            continue;
        }
        let whole = source.paths.iter().find(|read| read.starts_with(&path)).cloned().unwrap_or(path);
        if !missed.contains(&whole) {
            missed.push(whole);
        }
    }
    (filled, missed)
}

/// A map that notes which of its keys are asked for in vain.
#[derive(Debug)]
struct Watched {
    path: Path,
    known: Value,
    missed: Arc<Mutex<Vec<Path>>>,
}

impl Object for Watched {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let path = [self.path.as_slice(), &[key.to_string()]].concat();
        let found = self.known.get_item(key).ok().filter(|found| !found.is_undefined());
        match found {
            Some(known) if known.kind() == ValueKind::Map => {
                Some(Value::from_object(Self { path, known, missed: Arc::clone(&self.missed) }))
            }
            Some(value) => Some(value),
            None => {
                let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
                if !missed.contains(&path) {
                    missed.push(path);
                }
                None
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.known.try_iter().map(Iterator::collect).unwrap_or_default())
    }
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
