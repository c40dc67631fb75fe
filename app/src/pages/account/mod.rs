//! One's own account: who one is here, and another password. The password goes to a plain route of the server, because
//! changing it ends sessions and begins one.

mod api;

use domain::account::{Account, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS};
use leptos::{context::Provider, prelude::*};

use self::api::load_account;
use crate::{components::*, error::AppError, paths, text};

/// Shows the page.
pub fn open() -> AnyView {
    AccountPage().into_any()
}

#[component]
fn AccountPage() -> impl IntoView {
    let here = use_here();
    let account = fetch(|| (), |()| load_account());
    view! { <Loaded from=account let:account>{page(&account, here)}</Loaded> }.into_any()
}

fn page(account: &Account, here: Here) -> AnyView {
    let (role, created, last) = (text::role(account.role), account.created_at, account.last_login_at);
    let email = account.email.clone();
    let form = password_form(account, here);
    view! {
        <PageHeader title="Your account"/>
        <div class="grid grid--3-2">
            <Card title="Password">{form}</Card>
            <Card title="You">
                <Facts>
                    <Fact name="E-mail">{email}</Fact>
                    <Fact name="Role">{role}</Fact>
                    <Fact name="Since"><Time at=created/></Fact>
                    <Fact name="Last login"><MaybeTime at=last/></Fact>
                </Facts>
                <p class="muted small">"An admin changes your role, or gives you a new one-time password."</p>
            </Card>
        </div>
    }
    .into_any()
}

fn password_form(account: &Account, here: Here) -> AnyView {
    let problem = problem(&here.once("error"), &here.once("seconds"));
    let wrong = |field: &str| problem.as_ref().is_some_and(|error| error.of_field(field).is_some());
    let (wrong_present, wrong_new, wrong_repeated) = (wrong("present"), wrong("new"), wrong("repeated"));
    let refused = problem.clone().filter(|error| !matches!(error, AppError::Invalid { .. }));
    let state = FormState { problem: Signal::stored(problem), pending: Signal::stored(false) };
    let email = account.email.clone();
    let present = if account.password_is_temporary { "One-time password" } else { "Present password" };
    let hint = format!("At least {PASSWORD_MIN_CHARS} characters; a few words do well.");
    view! {
        <Provider value=state>
            {refused.map(|error| view! { <Alert tone=Tone::Bad title="Not changed.">{error.message()}</Alert> })}
            <form class="form form--narrow" method="post" action=paths::PASSWORD>
                // Tells a password manager whose password it is.
                <input class="visually-hidden" type="email" value=email autocomplete="username" tabindex="-1" aria-hidden="true" readonly=true/>
                <TextField name="present" label=present kind="password" required=true autocomplete="current-password" autofocus=wrong_present/>
                <TextField name="new" label="New password" kind="password" required=true autocomplete="new-password" autofocus=wrong_new hint=hint/>
                <TextField name="repeated" label="The new one again" kind="password" required=true autocomplete="new-password" autofocus=wrong_repeated/>
                <FormActions><SubmitButton label="Change password"/></FormActions>
                <p class="muted small">"You stay logged in here, and are logged out everywhere else."</p>
            </form>
        </Provider>
    }
    .into_any()
}

/// Only known problems get words: a link cannot put its own on the page.
fn problem(code: &str, seconds: &str) -> Option<AppError> {
    let length = || format!("Use {PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters; a few words do well.");
    Some(match code {
        "present" => AppError::field("present", "This is not your present password."),
        "length" => AppError::field("new", length()),
        "same" => AppError::field("new", "Choose another password than the present one."),
        "repeated" => AppError::field("repeated", "The two new passwords are not the same."),
        "wait" => {
            let wait = seconds.parse::<u32>().map_or_else(|_| "a while".to_owned(), |n| format!("{n} seconds"));
            AppError::unavailable(format!("Too many tries. Wait {wait} before the next one."))
        }
        "away" => AppError::unavailable("Nothing was changed. Try again in a moment."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_cannot_write_on_the_page() {
        assert_eq!(problem("call 555-0100 now", ""), None);
        assert!(problem("wait", "<b>").is_some_and(|error| !error.message().contains('<')));
        assert_eq!(problem("repeated", "").and_then(|error| error.of_field("repeated").map(str::len)), Some(39));
    }
}
