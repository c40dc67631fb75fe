//! Reading requests strictly: what is not understood is refused by name, never dropped.

use std::str::FromStr;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    page::{Page, PageRequest},
    phone::Phone,
    problem::FieldError,
    text::exact,
    time::Timestamp,
};
use http_body_util::LengthLimitError;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use utoipa::IntoParams;

use crate::problem::Problem;

/// The largest JSON body.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// A JSON body: 415 for another type, 413 when it is too large, 400 for what is no JSON, 422 for the wrong JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send JSON, with Content-Type: application/json.",
            ));
        }
        let read = if request.method() == Method::PATCH { if_match(request.headers())? } else { None };
        let body = read_body(request.into_body(), BODY_LIMIT).await?;
        match read {
            Some(version) => parse(&with_version(&body, version)?).map(Self),
            None => parse(&body).map(Self),
        }
    }
}

/// The version that an edit was made on: `If-Match: "3"` says the same as `"version": 3` in the body.
fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    // Proxies that compress answers make their tags weak.
    let text = text.strip_prefix("W/").unwrap_or(text);
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).parse();
    version
        .map(Some)
        .map_err(|_| Problem::field("If-Match", "must be the version that you read, in quotes, such as \"3\""))
}

fn with_version(body: &[u8], version: i64) -> Result<Vec<u8>, Problem> {
    let mut patch: serde_json::Map<String, serde_json::Value> = parse(body)?;
    let named = patch.insert("version".to_owned(), version.into());
    if named.is_some_and(|named| named != version) {
        return Err(Problem::field("If-Match", "names another version than the body"));
    }
    serde_json::to_vec(&patch).map_err(|error| {
        tracing::error!(%error, "a body cannot be written");
        Problem::internal()
    })
}

/// The whole body, within the limit.
///
/// # Errors
/// 413 when it is larger, 400 when it broke off.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, Problem> {
    to_bytes(body, limit).await.map_err(|error| {
        let limited = std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
        if limited { Problem::too_large(limit) } else { Problem::new(StatusCode::BAD_REQUEST, "The body broke off.") }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The body is not JSON: it is not UTF-8."))?;
    // Whether it is JSON at all does not depend on what is expected.
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("The body is not JSON: {error}.")))?;
    // A number that would lose digits is kept as the text that it is.
    let text = exact(text);
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| Problem::invalid(vec![named(&error)]))
}

/// The query string, every parameter known.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        // `?status=` is what a form sends for "any".
        let given: Vec<&str> =
            query.split('&').filter(|pair| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty())).collect();
        let given = given.join("&");
        let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(given.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| Problem::invalid(vec![named(&error)]))
    }
}

/// serde's message with the path it belongs to. An unknown or missing field is named by the message, not the path.
fn named<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> FieldError {
    let message = error.inner().to_string();
    // Positions in the text say nothing once the field is named.
    let message = message.split(" at line ").next().unwrap_or_default();
    let path = error.path().to_string();
    let path = if path == "." || path == "?" { String::new() } else { path };
    let quoted = |start: &str| Some(message.strip_prefix(start)?.split_once('`')?.0);
    let (name, message) = if let Some(name) = quoted("unknown field `") {
        let expected = message.split_once(", ").map_or("", |(_, expected)| expected);
        (Some(name), format!("is not known here; {expected}"))
    } else if let Some(name) = quoted("missing field `") {
        (Some(name), "is missing".to_owned())
    } else {
        (None, plain(message))
    };
    let field = match name {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) if path != name && !path.ends_with(&format!(".{name}")) => format!("{path}.{name}"),
        _ if path.is_empty() => "body".to_owned(),
        _ => path,
    };
    FieldError::new(field, message)
}

/// The parsers' words, for people who do not know what it is written in.
fn plain(message: &str) -> String {
    if message.starts_with("invalid digit") || message.starts_with("number too") {
        return "must be a whole number".to_owned();
    }
    if message.starts_with("UUID parsing failed") {
        return "is not an id".to_owned();
    }
    let words = [
        ("expected i16", "expected a whole number"),
        ("expected i32", "expected a whole number"),
        ("expected i64", "expected a whole number"),
        ("expected u16", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a map", "expected an object"),
        ("expected a sequence", "expected a list"),
        ("expected a string", "expected a text"),
    ];
    let message = words.iter().fold(message.to_owned(), |text, (parser, plain)| text.replace(parser, plain));
    match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected an object"),
        None => message,
    }
}

/// The one parameter of a path: an id, a phone number, a key. What cannot be one names nothing: 404.
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
        text.parse().map(Self).map_err(|error| not_there(&text, &error))
    }
}

/// The two parameters of a path.
pub struct Path2<A, B>(pub A, pub B);

impl<A, B, S> FromRequestParts<S> for Path2<A, B>
where
    A: FromStr,
    A::Err: std::fmt::Display,
    B: FromStr,
    B::Err: std::fmt::Display,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path((a, b)) = axum::extract::Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
        let a = a.parse().map_err(|error| not_there(&a, &error))?;
        let b = b.parse().map_err(|error| not_there(&b, &error))?;
        Ok(Self(a, b))
    }
}

fn not_there(text: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("There is nothing here: `{text}` is {error}."))
}

/// `limit` and `cursor` of a list.
///
/// # Errors
/// 422 when the limit is out of range.
pub fn page(limit: Option<u32>, cursor: Option<String>) -> Result<PageRequest, Problem> {
    let limit = limit.unwrap_or(PageRequest::DEFAULT_LIMIT);
    if (1..=PageRequest::MAX_LIMIT).contains(&limit) {
        Ok(PageRequest { limit, cursor })
    } else {
        Err(Problem::field("limit", format!("must be from 1 to {}", PageRequest::MAX_LIMIT)))
    }
}

/// `?limit=&cursor=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    /// # Errors
    /// As [`page`].
    pub fn page(self) -> Result<PageRequest, Problem> {
        page(self.limit, self.cursor)
    }
}

/// `?limit=&cursor=&q=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NamedQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// A part of the name.
    pub q: Option<String>,
}

impl NamedQuery {
    /// # Errors
    /// As [`page`].
    pub fn page(&self) -> Result<PageRequest, Problem> {
        page(self.limit, self.cursor.clone())
    }
}

/// One page of a list that is short enough to be in memory; `key` names an item.
///
/// # Errors
/// 422 for a cursor that names none.
pub fn page_of<T>(items: Vec<T>, request: &PageRequest, key: impl Fn(&T) -> String) -> Result<Page<T>, Problem> {
    let encode = |item: &T| BASE64_URL_SAFE_NO_PAD.encode(key(item));
    let start = match &request.cursor {
        None => 0,
        Some(cursor) => {
            let last = items.iter().position(|item| encode(item) == *cursor);
            last.ok_or_else(|| Problem::field("cursor", "names no place in this list: begin again without it"))? + 1
        }
    };
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let more = items.len() > start.saturating_add(limit);
    let items: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next_cursor = items.last().filter(|_| more).map(encode);
    Ok(Page { items, next_cursor })
}

/// The empty body of an action; `{}` says the same.
pub struct NoBody;

impl<S: Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = read_body(request.into_body(), BODY_LIMIT).await?;
        if body.trim_ascii().is_empty() {
            return Ok(Self);
        }
        parse::<Nothing>(&body).map(|Nothing {}| Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A phone number in a query, where an unescaped `+` has become a space.
///
/// # Errors
/// When it is none.
pub fn phone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Phone>, D::Error> {
    let text = plus(String::deserialize(deserializer)?);
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A search text that may begin with a phone number.
///
/// # Errors
/// None of its own.
pub fn search<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(plus(String::deserialize(deserializer)?)))
}

/// An instant in a query, where the `+` of an offset has become a space.
///
/// # Errors
/// When it is none.
pub fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let text = text.rsplit_once(' ').map_or_else(|| text.clone(), |(time, offset)| format!("{time}+{offset}"));
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

fn plus(text: String) -> String {
    match text.strip_prefix(' ') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => format!("+{rest}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use domain::{campaign::NewCampaign, contact::NewContact, segment::NewSegment};

    use super::*;

    fn refused<T: DeserializeOwned>(body: &str) -> Problem {
        match parse::<T>(body.as_bytes()) {
            Ok(_) => panic!("taken: {body}"),
            Err(problem) => problem,
        }
    }

    fn field<T: DeserializeOwned>(body: &str) -> String {
        let problem = refused::<T>(body);
        assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        problem.errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn what_is_no_json_is_told_from_what_is_the_wrong_json() {
        assert_eq!(refused::<NewContact>("{").status, StatusCode::BAD_REQUEST);
        assert_eq!(refused::<NewContact>("").status, StatusCode::BAD_REQUEST);
        assert_eq!(refused::<NewContact>("{\"nope\":1,}").status, StatusCode::BAD_REQUEST);
        assert_eq!(refused::<NewContact>("{} {}").status, StatusCode::BAD_REQUEST);
        assert_eq!(field::<NewContact>("{}"), "phone");
        assert_eq!(field::<NewContact>("[]"), "body");
        assert_eq!(field::<NewContact>("{\"phone\":\"+1\",\"colour\":1}"), "colour");
        assert_eq!(field::<NewContact>("{\"phone\":7}"), "phone");
        assert_eq!(field::<NewContact>("{\"phone\":\"+1\",\"consent\":\"maybe\"}"), "consent");
        assert_eq!(field::<NewCampaign>("{\"name\":\"x\",\"trigger\":{\"type\":\"moon\"}}"), "trigger.type");
        assert_eq!(field::<NewSegment>("{\"name\":\"x\"}"), "definition");
    }

    #[test]
    fn numbers_keep_their_digits() {
        let body = br#"{"phone":"+1","attributes":{"card":4111111111111111222,"age":30,"rate":0.25}}"#;
        let Ok(contact) = parse::<NewContact>(body) else { panic!("refused") };
        let expected = serde_json::json!({"card": "4111111111111111222", "age": 30, "rate": 0.25});
        assert_eq!(serde_json::Value::Object(contact.attributes), expected);
    }

    #[test]
    fn an_edit_names_the_version_that_it_was_made_on() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, text.parse().expect("a header"));
            if_match(&headers).ok()
        };
        assert_eq!(
            (with("\"3\""), with("W/\"3\""), with("3"), with("*"), with("banana")),
            (Some(Some(3)), Some(Some(3)), Some(Some(3)), Some(None), None)
        );
        assert_eq!(with_version(b"{}", 3).ok(), Some(b"{\"version\":3}".to_vec()));
        assert!(with_version(b"{\"version\":3}", 3).is_ok() && with_version(b"{\"version\":4}", 3).is_err());
    }

    #[test]
    fn problems_are_in_plain_words() {
        assert_eq!(plain("invalid digit found in string"), "must be a whole number");
        assert_eq!(
            plain("invalid type: integer `12`, expected a string"),
            "invalid type: integer `12`, expected a text"
        );
        assert_eq!(
            plain("invalid type: string \"x\", expected struct Button"),
            "invalid type: string \"x\", expected an object"
        );
    }

    #[test]
    fn pages_of_a_short_list_join_up() {
        let list = || vec!["a", "b", "c"];
        let first = page_of(list(), &PageRequest::first(2), |item| (*item).to_owned()).expect("a page");
        assert_eq!(first.items, ["a", "b"]);
        let second = PageRequest { limit: 2, cursor: first.next_cursor };
        let second = page_of(list(), &second, |item| (*item).to_owned()).expect("a page");
        assert_eq!((second.items, second.next_cursor), (vec!["c"], None));
        let nowhere = PageRequest { limit: 2, cursor: Some("nonsense".to_owned()) };
        assert!(page_of(list(), &nowhere, |item| (*item).to_owned()).is_err());
    }

    #[test]
    fn a_plus_in_a_query_survives() {
        assert_eq!(plus(" 94771234567".to_owned()), "+94771234567");
        assert_eq!(plus(" ann".to_owned()), " ann");
    }
}
