//! Saying what to write where a person has no value: the one change of a template that is made for people.

/// The text with `|default('…')` behind this variable wherever it is written out without one. Conditions and what is done
/// with the variable elsewhere stay as they are.
pub(crate) fn with_fallback(text: &str, variable: &str, words: &str) -> String {
    let words = words.replace('\\', "\\\\").replace('\'', "\\'");
    let mut written = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        written.push_str(before);
        written.push_str("{{");
        let Some((expression, tail)) = after.split_once("}}") else {
            rest = after;
            continue;
        };
        match behind(expression, variable) {
            Some(place) if !expression.contains("default") => {
                let (name, filters) = expression.split_at(place);
                written.push_str(&format!("{name}|default('{words}'){filters}"));
            }
            _ => written.push_str(expression),
        }
        written.push_str("}}");
        rest = tail;
    }
    written.push_str(rest);
    written
}

/// Where the variable ends, when the expression is it alone or with filters.
fn behind(expression: &str, variable: &str) -> Option<usize> {
    let name = expression.trim_start_matches('-').trim_start();
    let name = name.strip_prefix("attributes.").unwrap_or(name);
    let rest = name.strip_prefix(variable)?;
    let next = rest.trim_start().trim_end_matches('-').trim_end();
    (next.is_empty() || next.starts_with('|')).then(|| expression.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_gets_what_to_write_instead() {
        for (text, expected) in [
            ("Hi {{ first_name }}!", "Hi {{ first_name|default('there') }}!"),
            (
                "{{first_name|title}}, {{- first_name -}}",
                "{{first_name|default('there')|title}}, {{- first_name|default('there') -}}",
            ),
            ("{{ attributes.first_name }}", "{{ attributes.first_name|default('there') }}"),
            ("{{ first_name|default('you') }}", "{{ first_name|default('you') }}"),
            ("{{ first_names }} {{ a.first_name }}", "{{ first_names }} {{ a.first_name }}"),
            (
                "{% if first_name %}x{% endif %} {{ first_name ~ 1 }} {{",
                "{% if first_name %}x{% endif %} {{ first_name ~ 1 }} {{",
            ),
        ] {
            assert_eq!(with_fallback(text, "first_name", "there"), expected);
        }
        assert_eq!(with_fallback("{{ x }}", "x", r"it's \ "), r"{{ x|default('it\'s \\ ') }}");
    }
}
