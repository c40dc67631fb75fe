//! `/campaigns`: the intention, and what can be done with it.

use axum::{
    Json as Reply,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use domain::{
    campaign::{
        Campaign, CampaignFilter, CampaignList, CampaignPatch, CampaignStatus, LaunchCheck, NewCampaign,
        OverrideQuietHours, TestRequest,
    },
    ids::{CampaignId, RunId},
    message::Message,
    page::Page,
    phone::Phone,
    problem::FieldError,
    run::{LeaveOut, Run, RunStatus, ShownPlan, SinceRehearsal},
    why::Why,
};
use engine::Engine;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, NoBody, PageQuery, Path, Query, page, phone},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Campaigns";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_campaigns, create_campaign))
        .routes(routes!(get_campaign, update_campaign, delete_campaign))
        .routes(routes!(rehearse_campaign))
        .routes(routes!(get_rehearsal, discard_rehearsal))
        .routes(routes!(set_timezones))
        .routes(routes!(leave_out))
        .routes(routes!(launch_check))
        .routes(routes!(launch_campaign))
        .routes(routes!(schedule_campaign))
        .routes(routes!(pause_campaign))
        .routes(routes!(resume_campaign))
        .routes(routes!(cancel_campaign))
        .routes(routes!(override_quiet_hours, restore_quiet_hours))
        .routes(routes!(duplicate_campaign))
        .routes(routes!(test_campaign))
        .routes(routes!(list_runs))
        .routes(routes!(why))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CampaignsQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// A part of the name.
    q: Option<String>,
    status: Option<CampaignStatus>,
}

/// List campaigns
///
/// Those that this version of the program cannot read are not among `items`, but named in `unreadable`.
#[utoipa::path(
    get, path = "/campaigns", tag = TAG,
    params(CampaignsQuery),
    responses((status = 200, body = CampaignList)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_campaigns(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<CampaignsQuery>,
) -> Result<Reply<CampaignList>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let filter = CampaignFilter { q: query.q, status: query.status };
    Ok(Reply(engine.campaigns().list(&actor, &filter, &page).await?))
}

/// Create a campaign
///
/// A draft: nothing is sent before it is launched.
#[utoipa::path(
    post, path = "/campaigns", tag = TAG,
    request_body = NewCampaign,
    responses((status = 201, body = Campaign)),
    extensions(("x-permission" = json!("write"))),
)]
async fn create_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewCampaign>,
) -> Result<(StatusCode, Versioned<Campaign>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.campaigns().create(&actor, new).await?)))
}

/// Get a campaign
#[utoipa::path(
    get, path = "/campaigns/{id}", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().get(&actor, id).await?))
}

/// Change a campaign
///
/// While it runs only the name and the rate.
#[utoipa::path(
    patch, path = "/campaigns/{id}", tag = TAG,
    params(("id" = CampaignId, Path)),
    request_body = CampaignPatch,
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("write"))),
)]
async fn update_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Json(patch): Json<CampaignPatch>,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().update(&actor, id, patch).await?))
}

/// Delete a campaign
///
/// 409 once it has run: what was sent stays on record.
#[utoipa::path(
    delete, path = "/campaigns/{id}", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("write"))),
)]
async fn delete_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Problem> {
    engine.campaigns().delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rehearse a campaign
///
/// Plans it and decides about everybody as at sending, by the clock of now; nothing is sent. Its run goes from `planning`
/// to `rehearsed` and says what was found in `rehearsal`. Launching sends exactly this plan, unless the campaign was
/// changed since. A rehearsal before it is discarded. Of a campaign that goes out by itself it is a look only.
#[utoipa::path(
    post, path = "/campaigns/{id}/rehearse", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 202, body = Run)),
    extensions(("x-permission" = json!("send"))),
)]
async fn rehearse_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    NoBody: NoBody,
) -> Result<(StatusCode, Reply<Run>), Problem> {
    Ok((StatusCode::ACCEPTED, Reply(engine.campaigns().rehearse(&actor, id).await?)))
}

/// A campaign's rehearsal, until it is launched or discarded.
#[derive(Serialize, ToSchema)]
struct CampaignRehearsal {
    run: Run,
    /// What has changed since; null while it is under way.
    since: Option<SinceRehearsal>,
}

/// Get a campaign's rehearsal
///
/// 404 when there is none, or it was launched.
#[utoipa::path(
    get, path = "/campaigns/{id}/rehearsal", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = CampaignRehearsal)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_rehearsal(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
) -> Result<Reply<CampaignRehearsal>, Problem> {
    let campaigns = engine.campaigns();
    let run = campaigns.rehearsal(&actor, id).await?.ok_or_else(Problem::not_found)?;
    let since = match run.status {
        RunStatus::Rehearsed => Some(campaigns.since_rehearsal(&actor, id).await?),
        _ => None,
    };
    Ok(Reply(CampaignRehearsal { run, since }))
}

/// Discard a campaign's rehearsal
///
/// Ends it when it is under way. Its plan is removed.
#[utoipa::path(
    delete, path = "/campaigns/{id}/rehearsal", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("send"))),
)]
async fn discard_rehearsal(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Problem> {
    engine.campaigns().discard_rehearsal(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TimezonesRequest {
    /// An IANA name.
    timezone: String,
}

#[derive(Serialize, ToSchema)]
struct TimezonesSet {
    /// How many people have it now who had none.
    changed: u64,
}

/// Give a time zone to those left out for want of one
///
/// To everybody whom the rehearsal left out with `needs_timezone` and who has none, and whose number does not tell one.
/// Rehearse again to take them in.
#[utoipa::path(
    post, path = "/campaigns/{id}/rehearsal/timezone", tag = TAG,
    params(("id" = CampaignId, Path)),
    request_body = TimezonesRequest,
    responses((status = 200, body = TimezonesSet)),
    extensions(("x-permission" = json!("write"))),
)]
async fn set_timezones(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Json(request): Json<TimezonesRequest>,
) -> Result<Reply<TimezonesSet>, Problem> {
    let changed = engine.campaigns().set_timezones(&actor, id, &request.timezone).await?;
    Ok(Reply(TimezonesSet { changed }))
}

/// Leave out whom a rehearsal found
///
/// The numbers of the United States in `refused.us_marketing`, or those of a language in `without_variant`. The audience stays
/// as it is: the campaign gets a narrower one, made of it; one that was made like this and that nothing else uses is narrowed
/// itself. Rehearse again to have the plan without them. 422 when the rehearsal found nobody like that.
#[utoipa::path(
    post, path = "/campaigns/{id}/rehearsal/leave-out", tag = TAG,
    params(("id" = CampaignId, Path)),
    request_body = LeaveOut,
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("write"))),
)]
async fn leave_out(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Json(whom): Json<LeaveOut>,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().leave_out(&actor, id, &whom).await?))
}

/// What a launch would do
///
/// Without doing it: how many people are in the audience as it is, who would be left out, what keeps it from going out and
/// what should be known before.
#[utoipa::path(
    get, path = "/campaigns/{id}/launch-check", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = LaunchCheck)),
    extensions(("x-permission" = json!("read"))),
)]
async fn launch_check(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
) -> Result<Reply<LaunchCheck>, Problem> {
    Ok(Reply(engine.campaigns().launch_check(&actor, id).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LaunchQuery {
    /// The `plan_hash` of the rehearsal that was looked at: 409 when another plan would go out. An empty one is as none.
    plan: Option<String>,
}

/// Launch a campaign
///
/// Makes its run and begins to send; a rehearsed campaign sends exactly its rehearsed plan. A second launch is 409: duplicate the campaign instead. An empty audience is 422, whatever the trigger.
#[utoipa::path(
    post, path = "/campaigns/{id}/launch", tag = TAG,
    params(("id" = CampaignId, Path), LaunchQuery),
    responses((status = 202, body = Run)),
    extensions(("x-permission" = json!("send"))),
)]
async fn launch_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Query(query): Query<LaunchQuery>,
    NoBody: NoBody,
) -> Result<(StatusCode, Reply<Run>), Problem> {
    let shown = ShownPlan { run: None, hash: query.plan };
    Ok((StatusCode::ACCEPTED, Reply(engine.campaigns().launch_shown(&actor, id, &shown).await?)))
}

/// Schedule a campaign
///
/// From now on it runs by itself at the times of its trigger: `next_run_at` says when next. 409 when its trigger is `now`,
/// or when it is scheduled or was launched before. It can still be edited, paused and cancelled.
#[utoipa::path(
    post, path = "/campaigns/{id}/schedule", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("send"))),
)]
async fn schedule_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    NoBody: NoBody,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().schedule(&actor, id).await?))
}

/// The campaign as it is now; nothing of one that this version cannot read.
fn stopped(campaign: Option<Campaign>) -> Response {
    campaign.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |campaign| Versioned(campaign).into_response())
}

/// Pause a campaign
///
/// No new hand-over begins; what is on the wire finishes.
/// A campaign that this version of the program cannot read is paused, too: 204, because there is none to tell of.
#[utoipa::path(
    post, path = "/campaigns/{id}/pause", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign), (status = 204)),
    extensions(("x-permission" = json!("send"))),
)]
async fn pause_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    Ok(stopped(engine.campaigns().pause(&actor, id).await?))
}

/// Send also in quiet hours
///
/// The campaign's present run, when it cannot wait until everybody's morning, until that is taken back (`quiet.overridden` of
/// the run). Not of marketing. Who said so and why stands with the run (`quiet_overrides`), with the decisions of its messages
/// and in the audit log.
#[utoipa::path(
    post, path = "/campaigns/{id}/override-quiet-hours", tag = TAG,
    params(("id" = CampaignId, Path)),
    request_body = OverrideQuietHours,
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn override_quiet_hours(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Json(asked): Json<OverrideQuietHours>,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().override_quiet_hours(&actor, id, &asked).await?))
}

/// Keep to quiet hours again
///
/// Takes back that the campaign's present run goes out in quiet hours, too. 409 when it does not.
#[utoipa::path(
    delete, path = "/campaigns/{id}/override-quiet-hours", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn restore_quiet_hours(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().restore_quiet_hours(&actor, id).await?))
}

/// Resume a campaign
#[utoipa::path(
    post, path = "/campaigns/{id}/resume", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("send"))),
)]
async fn resume_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    NoBody: NoBody,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().resume(&actor, id).await?))
}

/// Cancel a campaign
///
/// What was not handed over yet is cancelled, for good.
/// A campaign that this version of the program cannot read is cancelled, too: 204, because there is none to tell of.
#[utoipa::path(
    post, path = "/campaigns/{id}/cancel", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign), (status = 204)),
    extensions(("x-permission" = json!("send"))),
)]
async fn cancel_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    Ok(stopped(engine.campaigns().cancel(&actor, id).await?))
}

/// Duplicate a campaign
///
/// A new draft with the same settings.
#[utoipa::path(
    post, path = "/campaigns/{id}/duplicate", tag = TAG,
    params(("id" = CampaignId, Path)),
    responses((status = 200, body = Campaign)),
    extensions(("x-permission" = json!("write"))),
)]
async fn duplicate_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    NoBody: NoBody,
) -> Result<Versioned<Campaign>, Problem> {
    Ok(Versioned(engine.campaigns().duplicate(&actor, id).await?))
}

/// Send a test
///
/// Really sent to these few, outside the run and its counts; suppression still binds.
#[utoipa::path(
    post, path = "/campaigns/{id}/test", tag = TAG,
    params(("id" = CampaignId, Path)),
    request_body = TestRequest,
    responses((status = 202, body = Page<Message>)),
    extensions(("x-permission" = json!("send"))),
)]
async fn test_campaign(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Json(request): Json<TestRequest>,
) -> Result<(StatusCode, Reply<Page<Message>>), Problem> {
    let items = engine.campaigns().test(&actor, id, &request).await?;
    Ok((StatusCode::ACCEPTED, Reply(Page { items, next_cursor: None })))
}

/// List a campaign's runs
///
/// As `GET /runs/{id}` tells of each, but for what its forecast was at the launch (`forecast.at_launch`) and what happened
/// since (`forecast.actual`): those are null and empty here. One that this version of the program cannot read is left out.
#[utoipa::path(
    get, path = "/campaigns/{id}/runs", tag = TAG,
    params(("id" = CampaignId, Path), PageQuery),
    responses((status = 200, body = Page<Run>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_runs(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Run>>, Problem> {
    Ok(Reply(engine.runs().list(&actor, id, &query.page()?).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhyQuery {
    /// Whose message is asked about.
    #[serde(default, deserialize_with = "phone")]
    #[param(value_type = String, required = true)]
    phone: Option<Phone>,
    /// Which of the campaign's runs is asked about; the latest when absent.
    run: Option<RunId>,
}

/// Why somebody got it, or did not
///
/// Of somebody in the plan, the message with every decision. Of anybody else, whether the number is known, came later, was
/// named by no event, or which rules of the audience left the person out. `messages` are those of all runs.
#[utoipa::path(
    get, path = "/campaigns/{id}/why", tag = TAG,
    params(("id" = CampaignId, Path), WhyQuery),
    responses((status = 200, body = Why)),
    extensions(("x-permission" = json!("read"))),
)]
async fn why(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<CampaignId>,
    Query(query): Query<WhyQuery>,
) -> Result<Reply<Why>, Problem> {
    let Some(phone) = query.phone else {
        let missing = FieldError::new("phone", "Say whose message you ask about: `?phone=+…`.");
        return Err(engine::Error::Invalid(vec![missing]).into());
    };
    Ok(Reply(engine.campaigns().why(&actor, id, &phone, query.run).await?))
}
