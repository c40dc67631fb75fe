//! The environment that templates run in, and what they may use of it.

use minijinja::{Environment, UndefinedBehavior};

use super::filters;

/// Work of one rendering: about this many instructions, or 64 times as many bytes.
const FUEL: u64 = 20_000;
const RECURSION: usize = 20;

/// The filters a template may use: ours first.
pub(super) const FILTERS: &[&str] = &[
    "money",
    "date",
    "phone",
    "title",
    "default",
    "d",
    "lower",
    "upper",
    "capitalize",
    "trim",
    "replace",
    "round",
    "int",
    "float",
    "abs",
    "length",
    "count",
    "join",
    "split",
    "first",
    "last",
    "sort",
    "reverse",
    "unique",
    "min",
    "max",
    "sum",
    "list",
    "string",
    "items",
    "lines",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
];

/// The tests a template may use after `is`.
pub(super) const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "odd",
    "even",
    "divisibleby",
    "number",
    "integer",
    "int",
    "float",
    "string",
    "sequence",
    "iterable",
    "mapping",
    "boolean",
    "startingwith",
    "endingwith",
    "lower",
    "upper",
    "eq",
    "equalto",
    "ne",
    "lt",
    "lessthan",
    "le",
    "gt",
    "greaterthan",
    "ge",
    "in",
    "true",
    "false",
];

pub(super) const FUNCTIONS: &[&str] = &["range"];

/// The statements a template may use.
pub(super) const STATEMENTS: &[&str] =
    &["if", "elif", "else", "endif", "for", "endfor", "set", "endset", "filter", "endfilter", "with", "endwith"];

/// An environment without templates.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // Printing what is missing fails; asking whether it is there (`{% if %}`) does not.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    // Messages are plain text.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    for global in ["debug", "dict", "namespace"] {
        environment.remove_global(global);
    }
    for filter in ["pprint", "safe", "escape", "e", "attr", "format", "tojson"] {
        environment.remove_filter(filter);
    }
    environment.add_filter("money", filters::money);
    environment.add_filter("date", filters::date);
    environment.add_filter("phone", filters::phone);
    environment
}
