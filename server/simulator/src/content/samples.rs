//! The contents a simulator starts with: one of each approval status, several types, two languages.

use serde_json::{Value, json};

use super::{Approval, Content};

/// 2026-01-05T09:00:00Z.
const CREATED: i64 = 1_767_603_600_000;

pub(super) fn all() -> Vec<Content> {
    let quick_reply = |body: &str| {
        json!({"twilio/quick-reply": {"body": body, "actions": [
            {"type": "QUICK_REPLY", "title": "Show me", "id": "show_me"},
            {"type": "QUICK_REPLY", "title": "Stop offers", "id": "STOP"},
        ]}})
    };
    let rows = [
        (
            "order_update",
            "en",
            "UTILITY",
            "approved",
            json!({"1": "Ana", "2": "A-1001", "3": "Tuesday"}),
            json!({"twilio/text": {"body": "Hello {{1}}, your order {{2}} is on its way and will arrive on {{3}}."}}),
        ),
        (
            "order_update",
            "es",
            "UTILITY",
            "approved",
            json!({"1": "Ana", "2": "A-1001", "3": "martes"}),
            json!({"twilio/text": {"body": "Hola {{1}}, su pedido {{2}} va en camino y llegará el {{3}}."}}),
        ),
        (
            "spring_offer",
            "en",
            "MARKETING",
            "approved",
            json!({"1": "Ana", "2": "20 %"}),
            quick_reply("Hi {{1}}, spring is here: {{2}} off everything in our shop until Sunday evening."),
        ),
        (
            "price_drop",
            "en",
            "MARKETING",
            "approved",
            json!({"1": "Ana", "2": "Trail shoes", "3": "$79", "4": "trail-shoes"}),
            json!({
                "twilio/text": {"body": "Good news {{1}}: {{2}} now cost only {{3}} in our shop."},
                "twilio/call-to-action": {"body": "Good news {{1}}: {{2}} now cost only {{3}} in our shop.", "actions": [
                    {"type": "URL", "title": "See the offer", "url": "https://shop.example.com/p/{{4}}"},
                ]},
            }),
        ),
        (
            "new_arrivals",
            "en",
            "MARKETING",
            "approved",
            json!({"1": "Ana"}),
            json!({"twilio/media": {"body": "Hi {{1}}, have a look at what came in this week.", "media": ["https://shop.example.com/new.jpg"]}}),
        ),
        (
            "login_code",
            "en",
            "AUTHENTICATION",
            "approved",
            json!({"1": "123456"}),
            json!({"whatsapp/authentication": {"add_security_recommendation": true, "code_expiration_minutes": 5, "actions": [
                {"type": "COPY_CODE", "copy_code_text": "Copy code"},
            ]}}),
        ),
        (
            "winter_sale",
            "en",
            "MARKETING",
            "paused",
            json!({"1": "Ana"}),
            quick_reply("Hello {{1}}, the winter sale starts tomorrow morning at nine."),
        ),
        (
            "summer_preview",
            "en",
            "MARKETING",
            "pending",
            json!({"1": "Ana"}),
            json!({"twilio/text": {"body": "Hello {{1}}, be the first to see our summer collection."}}),
        ),
        (
            "free_money",
            "en",
            "MARKETING",
            "rejected",
            json!({"1": "Ana"}),
            json!({"twilio/text": {"body": "{{1}} you won"}}),
        ),
        (
            "old_newsletter",
            "en",
            "MARKETING",
            "disabled",
            json!({"1": "Ana"}),
            json!({"twilio/text": {"body": "Dear {{1}}, here is our newsletter for this month."}}),
        ),
        (
            "service_answer",
            "en",
            "",
            "unsubmitted",
            json!({"1": "Ana"}),
            json!({"twilio/text": {"body": "Hello {{1}}, thank you for writing to us. We will answer today."}}),
        ),
    ];
    let numbered = rows.into_iter().enumerate();
    numbered
        .map(|(index, (name, language, category, status, variables, types))| {
            let created = CREATED + index as i64 * 3_600_000;
            Content {
                sid: format!("HX5117{:028x}", index + 1),
                friendly_name: name.into(),
                language: language.into(),
                variables: map(variables),
                types: map(types),
                created,
                updated: created,
                approval: Approval {
                    name: if status == "unsubmitted" { String::new() } else { name.into() },
                    category: category.into(),
                    status: status.into(),
                    rejection_reason: if status == "rejected" { "INVALID_FORMAT".into() } else { String::new() },
                    allow_category_change: true,
                    decision: None,
                },
            }
        })
        .collect()
}

fn map(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}
