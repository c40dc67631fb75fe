//! Reading the TwiML an application answers an inbound message with (page "TwiML for Programmable Messaging"; error
//! pages 11750, 12100, 12300, 14109, 14110).

use roxmltree::{Document, Node};

use crate::webhook::MAX_ANSWER;

/// Replies to one inbound message.
pub(crate) const MAX_REPLIES: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Message(Reply),
    Redirect(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub body: String,
    pub media: usize,
    pub to: Option<String>,
    pub from: Option<String>,
    pub status_callback: Option<String>,
}

/// What an answer asks for, and the errors Twilio's debugger would show besides.
pub(crate) fn read(content_type: Option<&str>, body: &[u8]) -> (Vec<Verb>, Vec<u32>) {
    if body.iter().all(u8::is_ascii_whitespace) {
        return (Vec::new(), Vec::new());
    }
    if body.len() >= MAX_ANSWER {
        return (Vec::new(), vec![11750]);
    }
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "text/xml" | "application/xml" | "text/html") {
        return (Vec::new(), vec![12300]);
    }
    match std::str::from_utf8(body).ok().and_then(parse) {
        Some(read) => read,
        None => (Vec::new(), vec![12100]),
    }
}

fn parse(text: &str) -> Option<(Vec<Verb>, Vec<u32>)> {
    let document = Document::parse(text.trim_start_matches('\u{feff}')).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return None;
    }
    let (mut verbs, mut errors, mut replies) = (Vec::new(), Vec::new(), 0);
    for verb in root.children().filter(Node::is_element) {
        match verb.tag_name().name() {
            "Message" | "Sms" if replies == MAX_REPLIES => errors.push(14109),
            "Message" | "Sms" => {
                replies += 1;
                verbs.push(Verb::Message(message(verb)));
            }
            "Redirect" => {
                verbs.push(Verb::Redirect(text_of(verb)));
                // What follows a redirect is never reached.
                break;
            }
            _ => errors.push(14110),
        }
    }
    errors.dedup();
    Some((verbs, errors))
}

fn message(node: Node<'_, '_>) -> Reply {
    let children = |name: &'static str| node.children().filter(move |child| child.has_tag_name(name));
    let bodies: Vec<String> = children("Body").map(text_of).collect();
    let attribute = |name: &str| node.attribute(name).filter(|value| !value.is_empty()).map(str::to_owned);
    Reply {
        body: if bodies.is_empty() { text_of(node) } else { bodies.concat() },
        media: children("Media").count(),
        to: attribute("to"),
        from: attribute("from"),
        status_callback: attribute("statusCallback").or_else(|| attribute("action")),
    }
}

/// The text directly in a node.
fn text_of(node: Node<'_, '_>) -> String {
    let text: String = node.children().filter(Node::is_text).filter_map(|child| child.text()).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(text: &str) -> (Vec<Verb>, Vec<u32>) {
        read(Some("text/xml; charset=utf-8"), text.as_bytes())
    }

    fn bodies(text: &str) -> Vec<String> {
        let verbs = xml(text).0.into_iter();
        verbs.filter_map(|verb| if let Verb::Message(reply) = verb { Some(reply.body) } else { None }).collect()
    }

    #[test]
    fn messages() {
        assert_eq!(
            bodies(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Message>Tom &amp; Jerry &#x1F600;</Message></Response>"
            ),
            ["Tom & Jerry 😀"]
        );
        assert_eq!(
            bodies(
                "<Response>\n <Message>\n  <Body><![CDATA[a <b>]]></Body>\n <Media>https://x/y.png</Media></Message><!-- no --></Response>"
            ),
            ["a <b>"]
        );
        assert_eq!(bodies("<Response/>"), [""; 0]);
        let (verbs, _) =
            xml("<Response><Message to=\"+1\" statusCallback=\"https://x/\"><Media>u</Media></Message></Response>");
        let expected =
            Reply { media: 1, to: Some("+1".into()), status_callback: Some("https://x/".into()), ..Reply::default() };
        assert_eq!(verbs, [Verb::Message(expected)]);
    }

    #[test]
    fn an_answer_may_be_empty_but_not_broken() {
        assert_eq!(read(None, b" \n"), (vec![], vec![]));
        assert_eq!(read(Some("application/json"), b"{}"), (vec![], vec![12300]));
        assert_eq!(read(None, b"<Response/>"), (vec![], vec![12300]));
        assert_eq!(xml("<Response>"), (vec![], vec![12100]));
        assert_eq!(xml("<Other/>"), (vec![], vec![12100]));
        assert_eq!(xml("<Response><Say>x</Say></Response>"), (vec![], vec![14110]));
        assert_eq!(xml(&"x".repeat(MAX_ANSWER)).1, [11750]);
        assert_eq!(read(Some("text/xml"), &[0xff, 0xfe]).1, [12100]);
    }

    #[test]
    fn ten_replies_and_a_redirect() {
        let (verbs, errors) = xml(&format!("<Response>{}</Response>", "<Message>x</Message>".repeat(12)));
        assert_eq!((verbs.len(), errors), (10, vec![14109]));
        let (verbs, _) = xml("<Response><Redirect>/other</Redirect><Message>x</Message></Response>");
        assert_eq!(verbs, [Verb::Redirect("/other".into())]);
    }
}
