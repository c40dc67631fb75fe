//! Logging in: a plain form that the server's own route answers, so that the session starts before any page.

use leptos::prelude::*;

use crate::{components::*, frame::use_frame, paths, text};

/// Shows the page.
pub fn open() -> AnyView {
    LoginPage().into_any()
}

#[component]
fn LoginPage() -> impl IntoView {
    let here = use_here();
    let next = here.once("next");
    let email = use_frame().with_untracked(|frame| frame.typed_email.clone());
    let problem = untrack(move || problem(&here.get("error"), &here.get("seconds")));
    let typed = !email.is_empty();
    view! {
        <div class="login">
            <p class="login__brand">{logo()} {text::PRODUCT}</p>
            <PageHeader title="Log in"/>
            {problem.map(|(title, text)| view! { <Alert tone=Tone::Bad title=title>{text}</Alert> })}
            <Card>
                <form class="form" method="post" action=paths::LOGIN>
                    <input type="hidden" name="next" value=next/>
                    <TextField name="email" label="E-mail" kind="email" value=email required=true autocomplete="username" autofocus=!typed/>
                    <TextField name="password" label="Password" kind="password" required=true autocomplete="current-password" autofocus=typed/>
                    <FormActions><SubmitButton label="Log in" busy="Logging in…"/></FormActions>
                </form>
            </Card>
            <p class="muted">"No account yet? An admin makes one with " <code>"event-stream-engine admin create"</code> "."</p>
        </div>
    }
    .into_any()
}

/// Only known problems get words: a link cannot put its own on the page.
fn problem(code: &str, seconds: &str) -> Option<(&'static str, String)> {
    match code {
        "wrong" => Some(("That did not work.", "E-mail or password is wrong.".to_owned())),
        "wait" => {
            let wait = seconds.parse::<u32>().map_or_else(|_| "a while".to_owned(), |n| format!("{n} seconds"));
            Some(("Too many tries.", format!("Wait {wait} before the next one.")))
        }
        "away" => Some((
            "Logging in is not possible right now.",
            "Try again in a moment; if it stays, tell an admin.".to_owned(),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn links_cannot_write_on_the_page() {
        assert!(problem("call 555-0100 now", "").is_none());
        assert!(problem("wait", "<b>").is_some_and(|(_, text)| !text.contains('<')));
    }
}
