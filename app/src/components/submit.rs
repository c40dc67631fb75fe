//! Sending a form to its server function. Does what `ServerAction` and `ActionForm` do, with one difference: the fields go
//! as they stand in the form, so nothing is read into the function's arguments and written again, and everything but the
//! answer's type is compiled once for all forms.

use std::marker::PhantomData;

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_query_map;
use serde::de::DeserializeOwned;

use super::form::FormState;
use crate::{
    error::AppError,
    frame::{FAILED, use_frame},
};

/// A form's way to its server function, and what the last try came to.
pub struct FormAction<S: ServerFn + 'static> {
    value: RwSignal<Option<Result<S::Output, AppError>>>,
    version: RwSignal<usize>,
    pending: RwSignal<bool>,
    function: PhantomData<fn() -> S>,
}

impl<S: ServerFn> Clone for FormAction<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ServerFn> Copy for FormAction<S> {}

impl<S> Default for FormAction<S>
where
    S: ServerFn<Error = AppError>,
    S::Output: Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<S> FormAction<S>
where
    S: ServerFn<Error = AppError>,
    S::Output: Send + Sync + 'static,
{
    /// Outside of what is loaded again: it holds what the last try came to. Without scripts the server has kept that.
    #[must_use]
    pub fn new() -> Self {
        Self {
            value: RwSignal::new(failed_before(S::PATH).map(Err)),
            version: RwSignal::new(0),
            pending: RwSignal::new(false),
            function: PhantomData,
        }
    }

    /// The answer or the error of the last try.
    #[must_use]
    pub const fn value(self) -> RwSignal<Option<Result<S::Output, AppError>>> {
        self.value
    }

    /// How many tries there were: part of the source of what has to be fetched again.
    #[must_use]
    pub const fn version(self) -> RwSignal<usize> {
        self.version
    }

    /// Whether a try is under way.
    #[must_use]
    pub const fn pending(self) -> RwSignal<bool> {
        self.pending
    }

    #[must_use]
    pub fn state(self) -> FormState {
        let value = self.value;
        let problem = move || value.with(|value| value.as_ref().and_then(|result| result.as_ref().err().cloned()));
        FormState { problem: Signal::derive(problem), pending: self.pending.into() }
    }
}

impl<S> FormAction<S>
where
    S: ServerFn<Error = AppError>,
    S::Output: DeserializeOwned + Send + Sync + 'static,
{
    /// The form itself, its children in it; `fresh`: empty again once it was taken.
    pub(super) fn form(self, class: &'static str, fresh: bool, children: AnyView) -> AnyView {
        let Self { value, version, pending, .. } = self;
        let settle = move |answer: Result<String, AppError>| {
            let answer = answer.and_then(|text| serde_json::from_slice(text.as_bytes()).map_err(AppError::unreadable));
            value.try_set(Some(answer));
        };
        form(
            S::url(),
            class,
            Way { version, pending, settle: StoredValue::new(Box::new(settle)), place: NodeRef::new(), fresh },
            children,
        )
    }
}

type Settle = Box<dyn Fn(Result<String, AppError>) + Send + Sync>;

#[derive(Clone, Copy)]
struct Way {
    version: RwSignal<usize>,
    pending: RwSignal<bool>,
    settle: StoredValue<Settle>,
    place: NodeRef<leptos::html::Form>,
    fresh: bool,
}

impl Way {
    /// The page may be gone by then: nothing here may panic.
    fn settled(self, answer: Result<String, AppError>) {
        self.pending.try_set(false);
        // What the page shows anew keeps what was typed into it.
        if self.fresh
            && answer.is_ok()
            && let Some(form) = self.place.try_get_untracked().flatten()
        {
            form.reset();
        }
        let _ = self.settle.try_with_value(|settle| settle(answer));
        let _ = self.version.try_update(|version| *version += 1);
    }
}

fn form(url: &'static str, class: &'static str, way: Way, children: AnyView) -> AnyView {
    let submit = move |event: leptos::ev::SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        // What cannot be read goes the way without scripts.
        let Ok(data) = form_data_from_event(&event) else { return };
        let Ok(fields) = leptos::web_sys::UrlSearchParams::new_with_str_sequence_sequence(&data) else { return };
        event.prevent_default();
        send(url, fields.to_string().into(), way);
    };
    view! { <form class=class action=url method="post" on:submit=submit node_ref=way.place>{children}</form> }
        .into_any()
}

/// Why the form failed that was sent to this server function, where the address says that this is the page for it.
fn failed_before(function: &str) -> Option<AppError> {
    let failed = use_frame().with_untracked(|frame| frame.failed.clone())?;
    let is_here = use_query_map().with_untracked(|query| query.get(FAILED).is_some_and(|id| id == failed.id));
    (is_here && failed.function == function).then_some(failed.error)
}

#[cfg(feature = "hydrate")]
fn send(url: &'static str, fields: String, way: Way) {
    way.pending.set(true);
    leptos::task::spawn_local(async move {
        match post(url, fields).await {
            Ok((text, next)) => {
                way.settled(Ok(text));
                if let Some(next) = next {
                    server_fn::redirect::call_redirect_hook(&next);
                }
            }
            Err(error) => way.settled(Err(error)),
        }
    });
}

/// Only browsers send forms.
#[cfg(not(feature = "hydrate"))]
fn send(_: &'static str, _: String, way: Way) {
    way.settled(Err(AppError::conflict("Forms are sent by browsers.")));
}

/// The answer's text, and where it leads to.
#[cfg(feature = "hydrate")]
async fn post(url: &str, fields: String) -> Result<(String, Option<String>), AppError> {
    use leptos::server_fn::{
        client::{Client, browser::BrowserClient},
        codec::{Encoding, PostUrl},
        error::FromServerFnError,
        request::{ClientReq, browser::BrowserRequest},
        response::ClientRes,
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    let method = <PostUrl as Encoding>::METHOD;
    let request =
        <BrowserRequest as ClientReq<AppError>>::try_new_req_text(url, "application/json", FORM, fields, method)?;
    let response = <BrowserClient as Client<AppError>>::send(request).await?;
    let status = ClientRes::<AppError>::status(&response);
    if status >= 400 {
        let error = ClientRes::<AppError>::try_into_bytes(response).await?;
        return Err(AppError::de(error));
    }
    let leads_away = ClientRes::<AppError>::has_redirect(&response);
    let next = leads_away.then(|| ClientRes::<AppError>::location(&response));
    let text = ClientRes::<AppError>::try_into_string(response).await?;
    Ok((text, next))
}
