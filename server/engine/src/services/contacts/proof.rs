//! What a person agreed to, so that it can be shown to whoever asks.

use domain::{contact::ConsentProof, phone::Phone};
use serde_json::json;

use super::{NO_CONTACT, audit, consent};
use crate::{Actor, Engine, Result, services::actors::Names};

/// The person's lines of the consent ledger, opened and checked, and a line in the audit log that somebody took them out.
pub(super) async fn proof(engine: &Engine, actor: &Actor, phone: &Phone) -> Result<ConsentProof> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let person = store::contacts::find(&tx, phone).await?.ok_or(NO_CONTACT)?;
    let (lines, ledger_lines, ledger_hash) = store::consent::lines_of(&tx, person.id).await?;
    let wrapped = store::keys::of_contact(&tx, person.id).await?;
    let mut lines: Vec<_> = lines
        .into_iter()
        .map(|mut stored| {
            if let (Some(sealed), Some(wrapped)) = (&stored.evidence, &wrapped) {
                stored.line.evidence = consent::open(&engine.config().keys, person.id, wrapped, sealed);
            }
            stored.line
        })
        .collect();
    let mut names = Names::default();
    for line in &mut lines {
        line.recorded_by_name = names.of(&tx, line.recorded_by, &line.recorded_by_id).await?;
    }
    audit(&tx, actor, now, "prove_consent", person.id, &json!({ "lines": lines.len() })).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(ConsentProof {
        made_at: now,
        phone: person.contact.phone,
        name: person.contact.name,
        consent: person.contact.consent,
        suppressed: person.contact.suppressed,
        holds: lines.iter().all(|line| line.holds),
        lines,
        ledger_lines,
        ledger_hash,
    })
}
