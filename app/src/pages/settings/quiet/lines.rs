//! Lists as people type them, one entry a line.

use domain::{
    problem::FieldError,
    quiet::{FrequencyCap, Holiday},
};

/// `3 per 7 days`, `1 per 2 days: offers`.
pub fn write_caps(caps: &[FrequencyCap]) -> String {
    let lines = caps.iter().map(|cap| {
        let days = if cap.days == 1 { "day" } else { "days" };
        let topic = cap.topic.as_deref().map(|key| format!(": {key}")).unwrap_or_default();
        format!("{} per {} {days}{topic}", cap.messages, cap.days)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// # Errors
/// The lines that cannot be read.
pub fn read_caps(text: &str) -> Result<Vec<FrequencyCap>, Vec<FieldError>> {
    let read = |line: &str| {
        let (limit, topic) = match line.split_once(':') {
            Some((limit, topic)) => (limit, Some(topic.trim().to_owned()).filter(|key| !key.is_empty())),
            None => (line, None),
        };
        match limit.split_whitespace().collect::<Vec<_>>()[..] {
            [messages, "per", days, "day" | "days"] => {
                Some(FrequencyCap { messages: messages.parse().ok()?, days: days.parse().ok()?, topic })
            }
            _ => None,
        }
    };
    each_line("frequency_caps", text, "write it as “3 per 7 days”", read)
}

/// `FR 2026-12-25 Noël`.
pub fn write_holidays(holidays: &[Holiday]) -> String {
    let lines = holidays.iter().map(|day| format!("{} {} {}", day.country, day.date, day.name));
    lines.collect::<Vec<_>>().join("\n")
}

/// # Errors
/// The lines that cannot be read.
pub fn read_holidays(text: &str) -> Result<Vec<Holiday>, Vec<FieldError>> {
    let read = |line: &str| {
        let (country, rest) = line.split_once(char::is_whitespace)?;
        let (date, name) = rest.trim_start().split_once(char::is_whitespace)?;
        let country = country.to_ascii_uppercase();
        Some(Holiday { country, date: date.to_owned(), name: name.trim().to_owned() })
    };
    each_line("holidays", text, "write it as “FR 2026-12-25 Noël”", read)
}

fn each_line<T>(
    field: &str,
    text: &str,
    remedy: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Vec<FieldError>> {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (number, line) in lines(text) {
        match read(line) {
            Some(entry) => entries.push(entry),
            None => errors.push(FieldError::new(field, format!("Line {number}: {remedy}."))),
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

/// The lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty())
}

/// The service names each entry (`holidays[3].date`); the page has one field for all of them.
pub fn in_one_field(errors: &mut [FieldError], field: &str, text: &str) {
    for error in errors {
        let place = error.field.strip_prefix(field).and_then(|rest| rest.strip_prefix('['));
        let index = place.and_then(|rest| rest.split(']').next()).and_then(|index| index.parse().ok());
        if let Some((number, _)) = index.and_then(|index: usize| lines(text).nth(index)) {
            error.message = format!("Line {number}: {}", error.message);
            error.field = field.to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written() {
        let caps = vec![
            FrequencyCap { messages: 3, days: 7, topic: None },
            FrequencyCap { messages: 1, days: 1, topic: Some("offers".to_owned()) },
        ];
        assert_eq!(write_caps(&caps), "3 per 7 days\n1 per 1 day: offers");
        assert_eq!(read_caps(&write_caps(&caps)), Ok(caps));
        let text = "fr 2026-12-25  Noël \n\nAU 2027-01-26 Australia Day";
        let holidays = read_holidays(text).expect("two days");
        assert_eq!(write_holidays(&holidays), "FR 2026-12-25 Noël\nAU 2027-01-26 Australia Day");
    }

    #[test]
    fn wrong_lines_are_named() {
        let errors = read_caps("3 per 7 days\n\nthree a week").expect_err("one cannot be read");
        assert_eq!(errors, [FieldError::new("frequency_caps", "Line 3: write it as “3 per 7 days”.")]);
        let mut errors = [FieldError::new("frequency_caps[1].days", "Give a number."), FieldError::new("x", "y")];
        in_one_field(&mut errors, "frequency_caps", "3 per 7 days\n\n1 per 0 days");
        assert_eq!(errors[0], FieldError::new("frequency_caps", "Line 3: Give a number."));
        assert_eq!(errors[1].field, "x");
    }
}
