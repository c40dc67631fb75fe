//! `/api/docs`: a reference page, written from the OpenAPI document. No scripts, nothing from elsewhere.

use std::fmt::Write as _;

use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse as _},
    routing::get,
};
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

const STYLE: &str = include_str!("docs.css");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// `/api/docs` and its style sheet.
pub fn router(page: String) -> Router {
    let page = bytes::Bytes::from(page);
    Router::new()
        .route("/api/docs", get(async move || Html(page).into_response()))
        .route("/api/docs.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
}

/// The whole page.
#[must_use]
pub fn page(document: &OpenApi) -> String {
    // A document of plain data always serialises.
    let document = serde_json::to_value(document).unwrap_or_default();
    let mut page = Page(String::new());
    page.write(&document);
    page.0
}

struct Page(String);

/// Writing to a string cannot fail.
macro_rules! put {
    ($page:expr, $($text:tt)*) => {{ let _ = write!($page.0, $($text)*); }};
}

impl Page {
    fn write(&mut self, document: &Value) {
        let title = escaped(text(&document["info"]["title"]));
        put!(self, "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>{title}: REST API</title>");
        put!(self, "<meta name=viewport content='width=device-width,initial-scale=1'>");
        put!(self, "<link rel=stylesheet href=/api/docs.css></head><body><header><h1>{title}: REST API</h1><p>");
        put!(self, "{}</p>", escaped(text(&document["info"]["description"])));
        put!(self, "<p>Every call needs <code>Authorization: Bearer ese_…</code> (make a key with ");
        put!(self, "<code>event-stream-engine api-key create</code>). The same as data: ");
        put!(self, "<a href=/api/v1/openapi.json>openapi.json</a>.</p></header>");
        let groups = groups(document);
        put!(self, "<nav aria-label=Contents><ul>");
        for (tag, _) in &groups {
            put!(self, "<li><a href='#{}'>{}</a></li>", anchor(tag), escaped(tag));
        }
        put!(self, "<li><a href='#schemas'>Schemas</a></li></ul></nav><main>");
        for (tag, operations) in &groups {
            put!(self, "<section id='{}'><h2>{}</h2>", anchor(tag), escaped(tag));
            for (method, path, operation) in operations {
                self.operation(method, path, operation);
            }
            put!(self, "</section>");
        }
        put!(self, "<section id=schemas><h2>Schemas</h2>");
        for (name, schema) in entries(&document["components"]["schemas"]) {
            self.schema(name, schema);
        }
        put!(self, "</section></main></body></html>");
    }

    fn operation(&mut self, method: &str, path: &str, operation: &Value) {
        let id = escaped(text(&operation["operationId"]));
        put!(self, "<article id='{id}'><h3><span class='method {method}'>{}</span> ", method.to_uppercase());
        put!(self, "<code>{}</code></h3><p><strong>{}.</strong> ", escaped(path), escaped(text(&operation["summary"])));
        put!(self, "{}</p>", escaped(text(&operation["description"])));
        put!(self, "<p class=permission>Permission: {}</p>", escaped(text(&operation["x-permission"])));
        self.parameters(&operation["parameters"]);
        let body: Vec<String> =
            entries(&operation["requestBody"]["content"]).map(|(kind, media)| content(kind, media)).collect();
        if !body.is_empty() {
            put!(self, "<p>Body: {}</p>", body.join(" or "));
        }
        put!(self, "<ul>");
        for (code, response) in entries(&operation["responses"]) {
            let content: Vec<String> =
                entries(&response["content"]).map(|(kind, media)| content(kind, media)).collect();
            put!(self, "<li><code>{}</code> {}", escaped(code), escaped(text(&response["description"])));
            if !content.is_empty() {
                put!(self, ": {}", content.join(" or "));
            }
            put!(self, "</li>");
        }
        put!(self, "</ul></article>");
    }

    fn parameters(&mut self, parameters: &Value) {
        let Some(parameters) = parameters.as_array().filter(|all| !all.is_empty()) else { return };
        put!(self, "<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th>Meaning</th></tr></thead><tbody>");
        for parameter in parameters {
            put!(self, "<tr><td><code>{}</code></td><td>", escaped(text(&parameter["name"])));
            put!(self, "{}</td><td>{}</td>", escaped(text(&parameter["in"])), kind(&parameter["schema"]));
            put!(self, "<td>{}</td></tr>", escaped(text(&parameter["description"])));
        }
        put!(self, "</tbody></table>");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        put!(self, "<article id='schema-{0}'><h3><code>{0}</code></h3>", escaped(name));
        put!(self, "<p>{}</p>", escaped(text(&schema["description"])));
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut properties = entries(&schema["properties"]).peekable();
        if properties.peek().is_none() {
            put!(self, "<p>{}</p></article>", kind(schema));
            return;
        }
        put!(self, "<table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>");
        for (field, property) in properties {
            let mark = if required.contains(&field) { "" } else { " <span class=optional>optional</span>" };
            put!(self, "<tr><td><code>{}</code>{mark}</td><td>{}</td>", escaped(field), kind(property));
            put!(self, "<td>{}</td></tr>", escaped(text(&property["description"])));
        }
        put!(self, "</tbody></table></article>");
    }
}

type Group<'a> = (String, Vec<(&'static str, &'a str, &'a Value)>);

/// Operations by tag, in the document's order.
fn groups(document: &Value) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (path, item) in entries(&document["paths"]) {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let tag = text(&operation["tags"][0]);
            let at = groups.iter().position(|(name, _)| name == tag).unwrap_or_else(|| {
                groups.push((tag.to_owned(), Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push((method, path, operation));
        }
    }
    groups
}

/// A media type and what it holds.
fn content(name: &str, media: &Value) -> String {
    format!("<code>{}</code> {}", escaped(name), kind(&media["schema"]))
}

/// A schema in a few words, with links to those that have names.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href='#schema-{0}'>{0}</a>", escaped(name));
    }
    for joined in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[joined].as_array() {
            return parts.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("<code>{}</code>", escaped(text(word)))).collect::<Vec<_>>().join(", ");
    }
    let name = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => several.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    match (name.as_str(), schema["items"].is_null(), schema["format"].as_str()) {
        ("array", false, _) => format!("array of {}", kind(&schema["items"])),
        (_, _, Some(format)) => format!("{} ({})", escaped(&name), escaped(format)),
        _ => escaped(&name),
    }
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter).map(|(key, value)| (key.as_str(), value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn anchor(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "-")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_schema_is_on_the_page_and_every_link_leads_somewhere() {
        let document = super::super::document();
        let page = page(&document);
        for path in document.paths.paths.keys() {
            assert!(page.contains(&escaped(path)), "{path}");
        }
        for link in page.split("href='#").skip(1).filter_map(|rest| rest.split_once('\'')).map(|(link, _)| link) {
            assert!(page.contains(&format!("id='{link}'")) || page.contains(&format!("id={link}>")), "{link}");
        }
        assert!(!page.contains("<script") && !page.contains("style="), "nothing that the policy refuses");
    }
}
