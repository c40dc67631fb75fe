//! Compliance: adapters between the pages and the services.

use domain::{
    keywords::Keywords,
    opt_in::OptIn,
    page::Page,
    phone::Phone,
    review::{ConsentDay, Decided, OptOut, Review},
    suppression::Suppression,
    time::Timestamp,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    context::{Ctx, ctx},
    paths,
};

/// How many days the page looks back.
pub const DAYS: i64 = 30;

/// So many of the latest decisions stand on the page.
#[cfg(feature = "ssr")]
const DECIDED: u32 = 20;

/// Words in doubt, and the yes and no of the last days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub reviews: Page<Review>,
    pub waiting: i64,
    /// Whose proof of consent was looked for.
    pub proof: Option<ProofOf>,
    /// What was decided lately.
    pub decided: Vec<Decided>,
    /// Since when the first of them waits, when that is too long.
    pub overdue: Option<Timestamp>,
    pub days: Vec<ConsentDay>,
    /// The days of the chart, the oldest first, each with its yes and no.
    pub chart: Vec<(String, i64, i64)>,
}

/// What became of a number that somebody looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProofOf {
    Known(Phone),
    Unknown(Phone),
    Unreadable,
}

/// `number`: whose proof of consent is looked for; empty for nobody's.
#[server]
pub async fn load_overview(
    #[server(default)] cursor: String,
    #[server(default)] number: String,
) -> Result<Overview, AppError> {
    use std::collections::BTreeMap;

    use domain::{consent::Consent, page::PageRequest, review::DUE_WITHIN};
    let ctx = ctx()?;
    let service = ctx.engine.reviews();
    let proof = proof_of(&ctx, &number).await?;
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    let reviews = service.list(&ctx.actor, &PageRequest { cursor, ..PageRequest::default() }).await?;
    let now = ctx.engine.now();
    let (waiting, oldest) = service.waiting(&ctx.actor).await?;
    let overdue = oldest.filter(|oldest| now.since(*oldest) > DUE_WITHIN);
    let decided = service.decided(&ctx.actor, &PageRequest::first(DECIDED)).await?.items;
    let days = service.days(&ctx.actor, DAYS).await?;
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for day in &days {
        let count = counts.entry(&day.day).or_default();
        match day.consent {
            Consent::OptedIn => count.0 += day.count,
            Consent::OptedOut => count.1 += day.count,
            _ => {}
        }
    }
    let chart = (0..DAYS).rev().map(|ago| {
        let day = now.plus(-ago * Timestamp::DAY).date();
        let (yes, no) = counts.get(day.as_str()).copied().unwrap_or_default();
        (day, yes, no)
    });
    let chart = chart.collect();
    Ok(Overview { reviews, waiting, proof, decided, overdue, days, chart })
}

#[cfg(feature = "ssr")]
async fn proof_of(ctx: &Ctx, number: &str) -> Result<Option<ProofOf>, AppError> {
    let plain: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    if plain.is_empty() {
        return Ok(None);
    }
    let Ok(phone) = plain.parse::<Phone>() else { return Ok(Some(ProofOf::Unreadable)) };
    Ok(Some(match ctx.engine.contacts().get(&ctx.actor, &phone).await {
        Ok(_) => ProofOf::Known(phone),
        Err(engine::Error::NotFound { .. }) => ProofOf::Unknown(phone),
        Err(error) => return Err(error.into()),
    }))
}

/// `decision`: `opted_out` or `kept`.
#[server]
pub async fn decide_review(id: String, decision: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    let id = id.parse().map_err(|_| AppError::NotFound)?;
    let decision = decision.parse().map_err(|_| AppError::field("decision", "Say what it was."))?;
    ctx.engine.reviews().decide(&ctx.actor, id, decision).await?;
    leptos_axum::redirect(&paths::done(paths::COMPLIANCE, "saved"));
    Ok(())
}

#[server]
pub async fn load_opt_outs(cursor: String) -> Result<Page<OptOut>, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    Ok(ctx.engine.reviews().opt_outs(&ctx.actor, &PageRequest { cursor, ..PageRequest::default() }).await?)
}

/// The list, and how many entries there are for each reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppressed {
    pub page: Page<Suppression>,
    pub counts: Vec<(domain::consent::SuppressionReason, i64)>,
    /// The number that was looked for and cannot be read.
    pub unreadable: bool,
}

#[server]
pub async fn load_suppressions(q: String, reason: String, cursor: String) -> Result<Suppressed, AppError> {
    use domain::{page::PageRequest, suppression::SuppressionFilter};
    let ctx = ctx()?;
    let service = ctx.engine.suppressions();
    let counts = service.counts(&ctx.actor).await?;
    let phone = phone(&q);
    let unreadable = phone.is_none() && !q.trim().is_empty();
    let filter = SuppressionFilter { phone, reason: reason.parse().ok() };
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    let request = PageRequest { cursor, ..PageRequest::default() };
    let page = if unreadable {
        Page { items: Vec::new(), next_cursor: None }
    } else {
        service.list(&ctx.actor, &filter, &request).await?
    };
    Ok(Suppressed { page, counts, unreadable })
}

#[cfg(feature = "ssr")]
fn phone(text: &str) -> Option<Phone> {
    text.replace([' ', '-', '(', ')'], "").parse().ok()
}

#[server]
pub async fn suppress(phone: String, #[server(default)] note: String) -> Result<(), AppError> {
    use domain::suppression::NewSuppression;
    let ctx = ctx()?;
    let keep = |error: AppError| error.keep(&[("phone", &phone), ("note", &note)]);
    let number = self::phone(&phone).ok_or_else(|| {
        keep(AppError::field("phone", "Give the number with its country code, such as +94 77 123 4567."))
    })?;
    let note = Some(note.trim()).filter(|note| !note.is_empty()).map(str::to_owned);
    let new = NewSuppression { phone: number, reason: None, note };
    ctx.engine.suppressions().add(&ctx.actor, &new).await.map_err(|error| keep(error.into()))?;
    leptos_axum::redirect(&paths::done(paths::SUPPRESSIONS, "saved"));
    Ok(())
}

#[server]
pub async fn lift(phone: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    let number = self::phone(&phone).ok_or(AppError::NotFound)?;
    ctx.engine.suppressions().remove(&ctx.actor, &number).await?;
    leptos_axum::redirect(&paths::done(paths::SUPPRESSIONS, "deleted"));
    Ok(())
}

/// Questions in one state, and how many wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub page: Page<OptIn>,
    pub waiting: i64,
}

#[server]
pub async fn load_asked(state: String, cursor: String) -> Result<Asked, AppError> {
    use domain::{opt_in::OptInState, page::PageRequest};
    let ctx = ctx()?;
    let service = ctx.engine.opt_ins();
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    let state = state.parse().unwrap_or(OptInState::Waiting);
    let page = service.list(&ctx.actor, state, &PageRequest { cursor, ..PageRequest::default() }).await?;
    Ok(Asked { page, waiting: service.waiting(&ctx.actor).await? })
}

/// Words of one's own, and those that are built in: language, then its words to stop, to start, for help and for yes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub own: Keywords,
    /// How many days a yes counts after the question.
    pub double_opt_in_days: i32,
    pub version: i64,
    pub built_in: Vec<(String, String, [String; 4])>,
}

#[server]
pub async fn load_words() -> Result<Words, AppError> {
    let ctx = ctx()?;
    let settings = ctx.engine.settings().get(&ctx.actor).await?;
    let built_in = domain::keywords::LANGUAGES.iter().map(|language| {
        let words = [language.stop, language.start, language.help, language.yes].map(|words| words.join(" · "));
        (language.code.to_owned(), language.name.to_owned(), words)
    });
    let double_opt_in_days = settings.double_opt_in_days;
    Ok(Words { own: settings.keywords, double_opt_in_days, version: settings.version, built_in: built_in.collect() })
}

/// One word on each line.
#[server]
pub async fn update_words(
    version: i64,
    #[server(default)] stop: String,
    #[server(default)] start: String,
    #[server(default)] help: String,
    #[server(default)] yes: String,
    double_opt_in_days: i32,
) -> Result<(), AppError> {
    use domain::settings::SettingsPatch;
    let ctx = ctx()?;
    let typed = [("stop", &*stop), ("start", &*start), ("help", &*help), ("yes", &*yes)];
    // The fields are called by their place in the settings.
    let keep = |mut error: AppError| {
        if let AppError::Invalid { fields, .. } = &mut error {
            for problem in fields {
                problem.field = problem.field.trim_start_matches("keywords.").to_owned();
            }
        }
        error.keep(&typed)
    };
    let words = |text: &str| -> Vec<String> {
        text.lines().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let keywords = Keywords { stop: words(&stop), start: words(&start), help: words(&help), yes: words(&yes) };
    let patch = SettingsPatch {
        keywords: Some(keywords.into()),
        double_opt_in_days: Some(double_opt_in_days),
        version: Some(version),
        ..SettingsPatch::default()
    };
    ctx.engine.settings().update(&ctx.actor, patch).await.map_err(|error| keep(error.into()))?;
    leptos_axum::redirect(&paths::done(paths::KEYWORDS, "saved"));
    Ok(())
}
