//! A body filled for one person while it is being written: faults are part of the answer.

use domain::{
    contact::Attributes,
    message::Channel,
    template::{MAX_BODY_CHARACTERS, Preview, TemplateProblem},
    text::count,
};
use minijinja::ErrorKind;

use super::{
    compiled::{fill, source},
    facts::{Facts, Path, Recipient, STAND_IN},
    missing, sandbox,
};

/// Fills a body; what is missing stands as `[name]` in the text and is listed.
pub(crate) fn preview(channel: Channel, body: &str, recipient: &Recipient<'_>, extra: &Attributes) -> Preview {
    let facts = Facts { recipient: *recipient, extra };
    let mut environment = sandbox::environment();
    let source = match source(&mut environment, "body", body) {
        Ok(source) => source,
        Err(errors) => return Preview { errors, ..measured(String::new()) },
    };
    let mut stand_ins: Vec<Path> = Vec::new();
    let mut errors = Vec::new();
    let text = loop {
        match fill(&environment, &source, &facts, &stand_ins) {
            Ok(text) => break text.replace(STAND_IN, ""),
            Err(error) => match missing::culprit(&environment, &source, &facts, &stand_ins, &error) {
                Some(path) => stand_ins.push(path),
                // A stand-in is no number to reckon with: what is missing says enough.
                None if !stand_ins.is_empty() && error.kind() == ErrorKind::InvalidOperation => break String::new(),
                None => {
                    errors.push(TemplateProblem { line: missing::line(&error), message: missing::words(&error) });
                    break String::new();
                }
            },
        }
    };
    let mut preview = measured(text);
    if preview.characters as usize > MAX_BODY_CHARACTERS {
        let channel = if channel == Channel::Whatsapp { "WhatsApp" } else { "SMS" };
        let message = format!("{} characters; Twilio takes {MAX_BODY_CHARACTERS} by {channel}.", preview.characters);
        errors.push(TemplateProblem { line: 1, message });
    }
    preview.missing = stand_ins.iter().map(|path| path.join(".")).collect();
    preview.errors = errors;
    preview
}

fn measured(text: String) -> Preview {
    let counted = count(&text);
    Preview {
        characters: counted.characters,
        segments: counted.segments,
        encoding: counted.encoding.as_str().to_owned(),
        text,
        missing: Vec::new(),
        errors: Vec::new(),
    }
}
