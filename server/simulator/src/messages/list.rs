//! Listing messages, newest first, by To, From and day, in pages.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use url::form_urlencoded::{Serializer, parse};

use super::{json_answer, view};
use crate::api::Call;
use crate::clock::span;
use crate::errors::ApiError;
use crate::state::{Shared, lock};
use crate::store::{Direction, Message, Store};

const MAX_PAGE_SIZE: usize = 1000;

/// What a list asks for.
#[derive(Debug, Default)]
struct Query {
    to: Option<String>,
    from: Option<String>,
    /// `[start, end)` of `date_sent`.
    sent_from: Option<i64>,
    sent_until: Option<i64>,
    /// As given, to be repeated in the URIs of other pages.
    filters: Vec<(String, String)>,
    page_size: usize,
    page: usize,
    token: Option<Token>,
}

/// Where a page starts: after a message (older ones follow), or before one.
#[derive(Debug)]
enum Token {
    After(String),
    Before(String),
}

impl Query {
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut parsed = Self { page_size: 50, ..Self::default() };
        for (name, value) in parse(query.as_bytes()) {
            match &*name {
                "To" if !value.is_empty() => parsed.to = Some(value.to_string()),
                "From" if !value.is_empty() => parsed.from = Some(value.to_string()),
                "DateSent" | "DateSent<" | "DateSent>" if !value.is_empty() => {
                    let (start, end) =
                        span(&value).ok_or_else(|| ApiError::new(20001, format!("Invalid {name}: {value}")))?;
                    if name != "DateSent<" {
                        parsed.sent_from = Some(parsed.sent_from.map_or(start, |other| other.max(start)));
                    }
                    if name != "DateSent>" {
                        parsed.sent_until = Some(parsed.sent_until.map_or(end, |other| other.min(end)));
                    }
                }
                "PageSize" => {
                    parsed.page_size = value
                        .parse()
                        .ok()
                        .filter(|n| *n > 0)
                        .ok_or_else(|| ApiError::new(20001, "Invalid PageSize"))?;
                    if parsed.page_size > MAX_PAGE_SIZE {
                        return Err(ApiError::of(20007));
                    }
                    continue;
                }
                "Page" => {
                    parsed.page = value.parse().map_err(|_| ApiError::new(20001, "Invalid Page"))?;
                    continue;
                }
                "PageToken" => {
                    parsed.token = Some(match value.split_at_checked(2) {
                        Some(("PA", sid)) => Token::After(sid.into()),
                        Some(("PB", sid)) => Token::Before(sid.into()),
                        _ => return Err(ApiError::of(21481)),
                    });
                    continue;
                }
                _ => continue,
            }
            parsed.filters.push((name.into_owned(), value.into_owned()));
        }
        Ok(parsed)
    }

    fn fits(&self, message: &Message) -> bool {
        // A message without date_sent is in no list by date.
        self.to.as_deref().is_none_or(|to| *message.to == *to)
            && self.from.as_deref().is_none_or(|from| message.from.as_deref() == Some(from))
            && self.sent_from.is_none_or(|start| message.sent.is_some_and(|sent| sent >= start))
            && self.sent_until.is_none_or(|end| message.sent.is_some_and(|sent| sent < end))
    }

    /// The page's messages, newest first, and whether older ones follow.
    fn run<'a>(&self, store: &'a Store, token: Option<(bool, u64)>) -> (Vec<&'a Message>, bool) {
        let fits = |message: &&Message| self.fits(message);
        let size = self.page_size;
        let known = store.candidates(self.to.as_deref(), self.from.as_deref());
        let known = known.as_ref();
        if let Some((false, seq)) = token {
            // The page before: the nearest newer ones.
            let mut page: Vec<_> = match known {
                Some(known) => {
                    known.iter().filter(|n| **n > seq).filter_map(|n| store.get(*n)).filter(fits).take(size).collect()
                }
                None => store.after(seq).filter(fits).take(size).collect(),
            };
            page.reverse();
            return (page, true);
        }
        let before = token.map_or(u64::MAX, |(_, seq)| seq);
        let skip = if token.is_some() { 0 } else { self.page.saturating_mul(size) };
        let mut page: Vec<_> = match known {
            Some(known) => {
                let older = known.iter().rev().filter(|n| **n < before).filter_map(|n| store.get(*n));
                older.filter(fits).skip(skip).take(size + 1).collect()
            }
            None => store.before(before).filter(fits).skip(skip).take(size + 1).collect(),
        };
        let more = page.len() > size;
        page.truncate(size);
        (page, more)
    }

    fn uri(&self, account: &str, page: usize, token: Option<(&str, &str)>) -> String {
        let mut query = Serializer::new(String::with_capacity(128));
        query.extend_pairs(&self.filters);
        query.append_pair("PageSize", &self.page_size.to_string()).append_pair("Page", &page.to_string());
        if let Some((kind, sid)) = token {
            query.append_pair("PageToken", &format!("{kind}{sid}"));
        }
        format!("/2010-04-01/Accounts/{account}/Messages.json?{}", query.finish())
    }
}

/// `GET …/Messages.json`.
pub(crate) async fn list(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    RawQuery(raw): RawQuery,
    uri: Uri,
) -> Result<Response, ApiError> {
    let core = &shared.core;
    let known = &call.active.settings.account_sid;
    if account != *known {
        return Err(ApiError::not_found(uri.path()));
    }
    let query = Query::parse(raw.as_deref().unwrap_or_default())?;
    core.counters.lists.fetch_add(1, Relaxed);
    let seq_of = |sid: &str| core.minter.seq(sid).map(|(_, seq)| seq).ok_or_else(|| ApiError::of(21481));
    let token = match &query.token {
        Some(Token::After(sid)) => Some((true, seq_of(sid)?)),
        Some(Token::Before(sid)) => Some((false, seq_of(sid)?)),
        None => None,
    };
    let sid = |message: &Message| core.minter.sid(message.kind, message.seq);
    let store = lock(&core.store);
    let (page, more) = query.run(&store, token);
    let mut messages = String::with_capacity(page.len() * 900);
    for message in &page {
        if !messages.is_empty() {
            messages.push(',');
        }
        messages.push_str(&view::json(core, known, message, message.direction != Direction::Inbound));
    }
    let first = page.first().map(|message| sid(message));
    let last = page.last().map(|message| sid(message));
    let count = page.len();
    drop(store);

    let number = query.page;
    let start = number.saturating_mul(query.page_size);
    let quoted =
        |uri: Option<String>| uri.map_or_else(|| "null".to_owned(), |uri| serde_json::Value::from(uri).to_string());
    let own = raw.as_deref().filter(|raw| !raw.is_empty()).map_or_else(String::new, |raw| format!("?{raw}"));
    let next = last.filter(|_| more).map(|sid| query.uri(known, number + 1, Some(("PA", &sid))));
    let previous = first.filter(|_| number > 0).map(|sid| query.uri(known, number - 1, Some(("PB", &sid))));
    let mut text = String::with_capacity(messages.len() + 700);
    let _ = write!(
        text,
        r#"{{"first_page_uri":{},"end":{},"previous_page_uri":{},"messages":[{messages}],"uri":{},"page_size":{},"start":{start},"next_page_uri":{},"page":{number}}}"#,
        quoted(Some(query.uri(known, 0, None))),
        start + count.saturating_sub(1),
        quoted(previous),
        quoted(Some(format!("{}{own}", uri.path()))),
        query.page_size,
        quoted(next),
    );
    Ok(json_answer(StatusCode::OK, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_filters_cover_whole_days() {
        let query = Query::parse("DateSent%3E=2023-08-24&DateSent%3C=2023-08-25&To=%2B1").expect("valid");
        let day = 1_692_835_200_000;
        assert_eq!((query.sent_from, query.sent_until), (Some(day), Some(day + 2 * 86_400_000)));
        assert_eq!(query.to.as_deref(), Some("+1"));
        let query = Query::parse("DateSent=2023-08-24").expect("valid");
        assert_eq!((query.sent_from, query.sent_until), (Some(day), Some(day + 86_400_000)));
    }

    #[test]
    fn bad_queries_have_their_codes() {
        for (query, code) in [
            ("PageSize=1001", 20007),
            ("PageSize=0", 20001),
            ("PageToken=x", 21481),
            ("DateSent=soon", 20001),
            ("Page=-1", 20001),
        ] {
            assert_eq!(Query::parse(query).expect_err("refused").code, code, "{query}");
        }
    }
}
