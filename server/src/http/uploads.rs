//! Files that come in: the import page's form, and what it shares with the API.

use axum::{
    Extension, Router,
    extract::{
        DefaultBodyLimit, Multipart, State,
        multipart::{Field, MultipartError},
    },
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use bytes::Bytes;
use domain::{
    actor::Actor,
    import::{Import, ImportFormat, ImportOptions},
    problem::FieldError,
};
use engine::{Engine, Error};
use futures::{Stream, TryStreamExt as _};

/// A field that is not the file: a topic's key, a country.
const FIELD_LIMIT: usize = 1_000;
/// More topics and columns than any file has.
const FIELDS_MOST: usize = 200;

/// `POST /imports`.
pub fn router(engine: Engine) -> Router {
    // The engine counts the file's bytes itself.
    Router::new().route("/imports", post(upload)).layer(DefaultBodyLimit::disable()).with_state(engine)
}

/// 303 to the import's page, or back to the form with the reason.
async fn upload(State(engine): State<Engine>, Extension(actor): Extension<Actor>, form: Multipart) -> Response {
    match take(&engine, &actor, form, ImportOptions::default()).await {
        Ok(import) => Redirect::to(&format!("/imports/{}", import.id)).into_response(),
        Err(error) => {
            let query = serde_urlencoded::to_string([("error", reason(error))]).unwrap_or_default();
            Redirect::to(&format!("/imports/new?{query}")).into_response()
        }
    }
}

fn reason(error: Error) -> String {
    match error {
        Error::Invalid(errors) => errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "),
        Error::Forbidden => "Your role does not include importing contacts.".to_owned(),
        Error::Internal(error) => {
            tracing::error!(error = &*error as &dyn std::error::Error, "an upload failed");
            "Something went wrong on our side. Nothing was imported.".to_owned()
        }
        other => other.to_string(),
    }
}

/// Reads the form's fields up to the file and hands the file on while it comes in.
///
/// # Errors
/// `Invalid` when there is no `file` or an unknown field before it; else what the engine says.
pub async fn take(
    engine: &Engine,
    actor: &Actor,
    mut form: Multipart,
    mut options: ImportOptions,
) -> Result<Import, Error> {
    loop {
        if let Some(file) = next_part(&mut form, &mut options).await? {
            return engine.imports().upload(actor, options, Box::pin(stream(file))).await;
        }
    }
}

/// Reads one field: an option (`None`), or the file, which is the last one.
///
/// # Errors
/// `Invalid` for an unknown field, and when the form ends without a `file`.
pub async fn next_part<'form>(
    form: &'form mut Multipart,
    options: &mut ImportOptions,
) -> Result<Option<Field<'form>>, Error> {
    let unreadable = |error: MultipartError| Error::invalid("file", error.body_text());
    let Some(field) = form.next_field().await.map_err(unreadable)? else {
        return Err(Error::invalid("file", "Choose a file (the field `file`, after all others)."));
    };
    if field.name() == Some("file") {
        let name = field.file_name().filter(|name| !name.is_empty()).map(str::to_owned);
        options.file_name = name.or(options.file_name.take());
        options.format = options.format.or_else(|| field.content_type().and_then(format_of_type));
        return Ok(Some(field));
    }
    if options.topics.len() + options.map.len() > FIELDS_MOST {
        return Err(Error::invalid("file", "There are too many fields before the file."));
    }
    let (name, value) = text(field).await?;
    set_option(options, &name, &value).map_err(|error| Error::Invalid(vec![error]))?;
    Ok(None)
}

/// The file's bytes as they come in.
pub fn stream(file: Field<'_>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    file.map_err(|error| std::io::Error::other(error.body_text()))
}

async fn text(mut field: Field<'_>) -> Result<(String, String), Error> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| Error::invalid("file", error.body_text()))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FIELD_LIMIT {
            return Err(Error::invalid(name, format!("longer than {FIELD_LIMIT} bytes")));
        }
    }
    let value = String::from_utf8(bytes).map_err(|_| Error::invalid(name.clone(), "not UTF-8"))?;
    Ok((name, value))
}

/// One option of an import, as a query parameter or a form's field; `topic` and `map` may come several times.
///
/// # Errors
/// For an unknown name or a value that cannot be meant.
pub fn set_option(options: &mut ImportOptions, name: &str, value: &str) -> Result<(), FieldError> {
    let value = value.trim();
    match name {
        "format" | "country" | "topic" | "map" if value.is_empty() => {}
        "format" => {
            let format = value.parse::<ImportFormat>().map_err(|error| FieldError::new("format", error.to_string()))?;
            options.format = Some(format);
        }
        "country" => options.country = Some(value.to_owned()),
        "topic" => options.topics.push(value.to_owned()),
        "map" => {
            let (target, header) = value
                .split_once(':')
                .ok_or_else(|| FieldError::new("map", "write TARGET:COLUMN, such as phone:Mobile number"))?;
            options.map.push((target.trim().to_owned(), header.trim().to_owned()));
        }
        _ => return Err(FieldError::new(name, "is not known here: use format, country, topic or map")),
    }
    Ok(())
}

/// The format that a content type stands for.
#[must_use]
pub fn format_of_type(content_type: &str) -> Option<ImportFormat> {
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Some(ImportFormat::Csv),
        "application/json" => Some(ImportFormat::Json),
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => Some(ImportFormat::Jsonl),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_add_up_and_unknown_ones_are_refused() {
        let mut options = ImportOptions::default();
        for (name, value) in
            [("format", "csv"), ("topic", "offers"), ("topic", "news"), ("map", "phone:Mobile: private")]
        {
            set_option(&mut options, name, value).expect("known");
        }
        assert_eq!(options.topics, ["offers", "news"]);
        assert_eq!(options.map, [("phone".to_owned(), "Mobile: private".to_owned())]);
        assert_eq!(set_option(&mut options, "colour", "red").expect_err("unknown").field, "colour");
        assert_eq!(set_option(&mut options, "format", "xls").expect_err("unknown").field, "format");
    }
}
