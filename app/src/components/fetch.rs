//! What a page asks the server for. Does what `Resource` does, with one difference: the machinery of a resource is
//! compiled once for all pages, instead of once for every type of answer. That is a third of the browser's download.

use std::{any::Any, future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use leptos::{
    prelude::*,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

use super::live::use_outdated;
use crate::error::AppError;

/// What came, or will come; see [`fetch`].
pub struct Fetched<T> {
    resource: Resource<Answer, AnswerCodec>,
    answer: PhantomData<fn() -> T>,
}

impl<T> Clone for Fetched<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Fetched<T> {}

type Answer = Result<Payload, AppError>;

/// The answer: as a value where it was fetched, as text where the server has written it into the page.
#[derive(Clone)]
pub(super) struct Payload {
    text: Option<Arc<str>>,
    value: Option<Arc<dyn Any + Send + Sync>>,
}

/// What the answer depends on.
#[derive(Clone)]
struct Key(Arc<dyn SameAs>);

trait SameAs: Any + Send + Sync {
    fn same_as(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<S: PartialEq + Send + Sync + 'static> SameAs for S {
    fn same_as(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<S>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_as(other.0.as_any())
    }
}

type Fetching = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Asks the server whenever `source` changes: `fetch(move || here.get("q"), list_topics)`. Show it with
/// [`super::Loaded`].
pub fn fetch<S, T, Fut>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetcher: impl Fn(S) -> Fut + Send + Sync + 'static,
) -> Fetched<T>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + Send + Sync + 'static,
    Fut: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let key = move || Key(Arc::new(source()));
    let run = move |key: Key| -> Fetching {
        // The key is what `source` made.
        let source = (*key.0).as_any().downcast_ref::<S>().cloned();
        let answer = source.map(&fetcher);
        Box::pin(async move {
            match answer {
                Some(answer) => answer.await.map(pack),
                None => Err(AppError::NotFound),
            }
        })
    };
    Fetched { resource: concrete(Box::new(key), Box::new(run)), answer: PhantomData }
}

fn concrete(
    key: Box<dyn Fn() -> Key + Send + Sync>,
    run: Box<dyn Fn(Key) -> Fetching + Send + Sync>,
) -> Resource<Answer, AnswerCodec> {
    let outdated = use_outdated();
    let run = move |key: Key| -> Fetching {
        let answer = run(key);
        Box::pin(async move {
            let answer = answer.await;
            if matches!(answer, Err(AppError::Outdated)) {
                outdated.mark();
                // What is on the page stays there: it can still be read, and what was typed be copied.
                std::future::pending::<()>().await;
            }
            answer
        })
    };
    Resource::new_with_options(key, run, false)
}

#[cfg(feature = "ssr")]
fn pack<T: Serialize + Send + Sync + 'static>(value: T) -> Payload {
    Payload { text: serde_json::to_string(&value).ok().map(Into::into), value: Some(Arc::new(value)) }
}

#[cfg(not(feature = "ssr"))]
fn pack<T: Serialize + Send + Sync + 'static>(value: T) -> Payload {
    Payload { text: None, value: Some(Arc::new(value)) }
}

impl Payload {
    fn unpack<T: Clone + DeserializeOwned + 'static>(self) -> Result<T, AppError> {
        if let Some(value) = self.value.as_ref().and_then(|value| value.downcast_ref::<T>()) {
            return Ok(value.clone());
        }
        // From bytes, as answers of server functions are: so there is one reader for each type.
        serde_json::from_slice(self.text.as_deref().unwrap_or_default().as_bytes()).map_err(AppError::unreadable)
    }
}

impl<T: Clone + DeserializeOwned + 'static> Fetched<T> {
    /// Waits for the answer, under `Suspense`.
    pub(super) async fn answer(self) -> Result<T, AppError> {
        self.resource.await.and_then(Payload::unpack)
    }

    /// What is there, in an effect; nothing while the first answer is under way.
    #[must_use]
    pub fn get(self) -> Option<Result<T, AppError>> {
        self.resource.get().map(|answer| answer.and_then(Payload::unpack))
    }
}

impl<T> Fetched<T> {
    pub fn refetch(self) {
        self.resource.refetch();
    }
}

/// `+` and the answer's JSON, or `-` and the error's.
pub(super) struct AnswerCodec;

impl Encoder<Answer> for AnswerCodec {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(answer: &Answer) -> Result<String, serde_json::Error> {
        match answer {
            Ok(payload) => Ok(format!("+{}", payload.text.as_deref().unwrap_or("null"))),
            Err(error) => serde_json::to_string(error).map(|error| format!("-{error}")),
        }
    }
}

impl Decoder<Answer> for AnswerCodec {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<Answer, serde_json::Error> {
        match text.strip_prefix('+') {
            Some(json) => Ok(Ok(Payload { text: Some(json.into()), value: None })),
            None => serde_json::from_slice(text.trim_start_matches('-').as_bytes()).map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_survive_the_way_into_the_page() {
        let answer = Payload { text: Some("[1,2]".into()), value: None };
        let there = AnswerCodec::decode(&AnswerCodec::encode(&Ok(answer)).unwrap()).unwrap();
        assert_eq!(there.unwrap().unpack::<Vec<i32>>(), Ok(vec![1, 2]));
        let error = AnswerCodec::decode(&AnswerCodec::encode(&Err(AppError::NotFound)).unwrap()).unwrap();
        assert_eq!(error.err(), Some(AppError::NotFound));
    }
}
