//! A person is forgotten.

use domain::{consent::SuppressionReason, ids::ImportId, phone::Phone, reason::Reason};
use serde_json::json;
use store::suppressions::NewSuppression;

use super::{NO_CONTACT, audit};
use crate::{Actor, Engine, Result};

/// Rejected rows looked through at a time.
const SCANNED: u32 = 1_000;

/// So many last digits of a number are looked for in rows that could not be read: written nationally, the country code
/// is missing.
const TELLING_DIGITS: usize = 8;

pub(super) async fn erase(engine: &Engine, actor: &Actor, phone: &Phone) -> Result<()> {
    let rejects = rejects_naming(engine, phone).await?;
    let now = engine.now();
    let keys = &engine.config().keys;
    let tx = engine.begin(actor).await?;
    let person = store::contacts::lock(&tx, phone).await?.ok_or(NO_CONTACT)?;
    let id = person.id;
    let objected = store::contacts::has_objected(&tx, &person).await?;
    store::messages::lock_open(&tx, id).await?;
    // Before the person goes, so that no message is handed over from now on.
    store::messages::skip_queued(&tx, now, &[id], Reason::ContactErased).await?;
    store::contacts::delete(&tx, id, phone).await?;
    store::imports::blank(&tx, &rejects).await?;
    store::trigger_events::forget(&tx, id, phone.digits(), |text| without_number(text, phone)).await?;
    let definitions = store::segments::forget(&tx, phone.digits(), |text| without_number(text, phone)).await?;
    if objected {
        let entry = NewSuppression {
            phone_hash: &keys.suppression_hash(phone.as_str()),
            key_id: keys.current_id(),
            reason: SuppressionReason::Erasure,
            contact_id: None,
        };
        store::suppressions::add(&tx, actor, now, &[entry]).await?;
    }
    let detail = json!({ "suppression_kept": objected, "rejected_rows": rejects.len(), "definitions": definitions });
    audit(&tx, actor, now, "erase", id, &detail).await?;
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_opt_outs([id]);
    Ok(())
}

/// What stands for an erased number in the rules of an audience.
const ERASED: &str = "erased";

/// The text with another word for the number, wherever it stands in full, with its plus or without.
fn without_number(text: &str, phone: &Phone) -> String {
    let digits = phone.digits();
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some(at) = rest.find(digits) {
        let (before, found) = rest.split_at(at);
        let after = &found[digits.len()..];
        let is_digit = |character: char| character.is_ascii_digit();
        if before.ends_with(is_digit) || after.starts_with(is_digit) {
            clean.push_str(before);
            clean.push_str(digits);
        } else {
            clean.push_str(before.strip_suffix('+').unwrap_or(before));
            clean.push_str(ERASED);
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// The rejected rows of imports that tell of this number, in whatever writing: their digits are compared.
async fn rejects_naming(engine: &Engine, phone: &Phone) -> Result<Vec<(ImportId, i64)>> {
    let digits = phone.digits();
    let telling = &digits[digits.len().saturating_sub(TELLING_DIGITS)..];
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let rows = store::imports::scan(engine.db().reader(), after, SCANNED).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = Some((last.import, last.line));
        let tells = |text: &str| crate::phone::digits(text).contains(telling);
        found.extend(rows.iter().filter(|row| tells(&row.raw) || tells(&row.value)).map(|row| (row.import, row.line)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_out_of_rules_but_not_out_of_longer_ones() {
        let phone: Phone = "+14155550100".parse().unwrap();
        let without = |text| without_number(text, &phone);
        assert_eq!(without(r#"["+14155550100","+14155550101"]"#), r#"["erased","+14155550101"]"#);
        assert_eq!(without(r#""14155550100,x""#), r#""erased,x""#);
        for other in [r#""+141555501001""#, r#""+914155550100""#, ""] {
            assert_eq!(without(other), other);
        }
    }
}
