use std::collections::BTreeMap;

use domain::{contact::Attributes, message::Channel, phone::Phone, template::Variant};
use serde_json::{Value, json};

use super::*;
use crate::own_page::Link;

fn attributes(json: Value) -> Attributes {
    json.as_object().cloned().unwrap_or_default()
}

fn variant(body: &str) -> Variant {
    Variant { body: body.to_owned(), ..Variant::default() }
}

fn compile(variants: &[(&str, Variant)]) -> Result<Compiled, Vec<domain::problem::FieldError>> {
    let variants: BTreeMap<String, Variant> =
        variants.iter().map(|(locale, variant)| ((*locale).to_owned(), variant.clone())).collect();
    Compiled::new(Channel::Whatsapp, "en", &variants)
}

struct Ann {
    phone: Phone,
    attributes: Attributes,
}

impl Ann {
    fn new(own: Value) -> Self {
        Self { phone: "+14155550100".parse().unwrap(), attributes: attributes(own) }
    }

    fn recipient(&self, locale: Option<&'static str>) -> Recipient<'_> {
        Recipient {
            phone: &self.phone,
            name: Some("Ann Lee"),
            country: Some("US"),
            locale,
            timezone: Some("America/New_York"),
            attributes: &self.attributes,
            own_page: Link::Sample { base: "https://example.com" },
        }
    }
}

fn render(body: &str, own: Value) -> Result<String, RenderError> {
    let ann = Ann::new(own);
    compile(&[("en", variant(body))]).unwrap().render(&ann.recipient(None), &Attributes::new()).map(|done| done.text)
}

fn missing(variable: &str) -> Result<String, RenderError> {
    Err(RenderError::Missing { variable: variable.to_owned() })
}

#[test]
fn values_are_filled_in() {
    for (body, own, expected) in [
        ("Hi {{ first_name }}!", json!({"first_name": "Ann"}), "Hi Ann!"),
        ("Hi {{ first_name|default('there') }}!", json!({}), "Hi there!"),
        ("Hi {{ first_name|default('there') }}!", json!({"first_name": "  "}), "Hi there!"),
        ("Hi {{ first_name|default('there') }}!", json!({"first_name": null}), "Hi there!"),
        ("{{ home.city|default('home') }}", json!({}), "home"),
        ("{{ home.city }}", json!({"home": {"city": "Kandy"}}), "Kandy"),
        ("{{ attributes.first_name }}", json!({"first_name": "Ann"}), "Ann"),
        ("{{ points }} {{ rate }}", json!({"points": 5.0, "rate": 2.5}), "5 2.5"),
        ("{% if vip %}VIP{% else %}all{% endif %}", json!({}), "all"),
        ("{{ name }} {{ phone|phone }} {{ country }}", json!({}), "Ann Lee +1 415-555-0100 US"),
        ("<b>{{ x }}</b> & co", json!({"x": "<&>"}), "<b><&></b> & co"),
        ("{% for item in cart %}{{ item.name }} {% endfor %}", json!({"cart": [{"name": "a"}, {"name": "b"}]}), "a b "),
        ("{{ at|date('%H:%M') }}", json!({"at": "2026-11-23T12:00:00Z"}), "07:00"),
    ] {
        assert_eq!(render(body, own).as_deref(), Ok(expected), "{body}");
    }
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(render("Hi {{ first_name }}", json!({})), missing("first_name"));
    assert_eq!(render("{{ a|default('x') }} {{ b }}", json!({})), missing("b"));
    assert_eq!(render("{{ a|default('x') }}\n{{ b|upper }} {{ c|default('') }}", json!({})), missing("b"));
    assert_eq!(render("{{ price|money }}", json!({})), missing("price"));
    assert_eq!(render("{{ a|replace('x', b|default('y')) }}", json!({})), missing("a"));
    assert_eq!(render("{% set x = a %}{{ c|default('-') }}{{ x }}", json!({})), missing("a"));
    assert_eq!(render("{{ a ~ b }}", json!({})), missing("a"));
    assert_eq!(render("{% if a %}{{ b }}{% endif %}{{ c }}", json!({})), missing("c"));
    assert_eq!(render("{{ home.city }}", json!({"home": {}})), missing("home.city"));
    assert_eq!(render("{{ home.city.zone }}", json!({})), missing("home.city.zone"));
    assert_eq!(render("{% for item in cart %}{{ item }}{% endfor %}", json!({})), missing("cart"));
    assert_eq!(render("{{ points + 10 }}", json!({})), missing("points"));
    let broken = render("{{ a|default('-') }}Hi\n{{ first_name|money }}", json!({"first_name": "Ann"}));
    assert!(matches!(broken, Err(RenderError::Invalid { line: 2, .. })), "{broken:?}");
    let inside = render("{{ a|default('-') }}{% for item in cart %}{{ item.name }}{% endfor %}", json!({"cart": [{}]}));
    assert!(matches!(inside, Err(RenderError::Invalid { line: 1, .. })), "{inside:?}");
}

#[test]
fn the_language_is_the_person_s() {
    let compiled = compile(&[
        ("en", variant("Hello")),
        ("pt", variant("Olá")),
        ("pt-BR", variant("Oi")),
        ("de_AT", variant("Servus")),
    ]);
    let compiled = compiled.unwrap();
    let ann = Ann::new(json!({}));
    let said = |locale| compiled.render(&ann.recipient(locale), &Attributes::new()).unwrap().text;
    assert_eq!(said(Some("pt_br")), "Oi");
    assert_eq!(said(Some("pt-PT")), "Olá");
    assert_eq!(said(Some("de-at")), "Servus");
    assert_eq!(said(Some("de")), "Hello");
    assert_eq!(said(None), "Hello");
}

#[test]
fn a_function_that_fails_is_no_missing_value() {
    let failed = render("{% for i in range(100000000) %}x{% endfor %}", json!({}));
    assert!(matches!(failed, Err(RenderError::Invalid { line: 1, .. })), "{failed:?}");
}

#[test]
fn what_is_said_besides_goes_first() {
    let ann = Ann::new(json!({"price": 1, "name": "Ann"}));
    let compiled = compile(&[("en", variant("{{ price }} {{ product }} {{ name }}"))]).unwrap();
    let extra = attributes(json!({"price": 2, "product": "tea"}));
    assert_eq!(compiled.render(&ann.recipient(None), &extra).unwrap().text, "2 tea Ann");
}

#[test]
fn content_templates_get_their_variables() {
    let content = Variant {
        body: "Hi {{ first_name }}, {{ note }}".to_owned(),
        content_sid: Some("HX1".to_owned()),
        content_variables: BTreeMap::from([
            ("1".to_owned(), "{{ first_name }}".to_owned()),
            ("2".to_owned(), "{{ note }}".to_owned()),
        ]),
        ..Variant::default()
    };
    let compiled = compile(&[("en", content)]).unwrap();
    let render = |own: Value| {
        let ann = Ann::new(own);
        compiled.render(&ann.recipient(None), &Attributes::new())
    };
    let done = render(json!({"first_name": "Ann", "note": "a\nb"})).unwrap();
    assert_eq!(done.content_sid.as_deref(), Some("HX1"));
    assert_eq!(done.content_variables.as_deref(), Some(r#"{"1":"Ann","2":"a b"}"#));
    assert!(matches!(render(json!({"first_name": "Ann"})), Err(RenderError::Missing { .. })));
    let long = render(json!({"first_name": "Ann", "note": "x".repeat(1_020)}));
    assert_eq!(long, Err(RenderError::TooLong { characters: 1_028, limit: 1_024 }));
}

#[test]
fn variables_are_those_that_are_read() {
    let compiled = compile(&[
        (
            "en",
            variant(
                "{% set x = 1 %}{{ x }}{{ first_name }}{{ home.city }}{{ phone }}{{ range(3)|join }}{{ attributes.b }}",
            ),
        ),
        ("de", variant("{{ a }}{{ first_name }}")),
    ]);
    assert_eq!(compiled.unwrap().variables(), ["a", "b", "first_name", "home.city"]);
}

#[test]
fn errors_name_field_and_line() {
    let errors = compile(&[("en", variant("Hi\n\n{{ first_name")), ("de", variant("{{ x|shout }}"))]).unwrap_err();
    let told: Vec<(&str, &str)> =
        errors.iter().map(|error| (error.field.as_str(), error.message.split(':').next().unwrap())).collect();
    assert_eq!(told, [("variants.de.body", "line 1"), ("variants.en.body", "line 3")]);
    let none = Compiled::new(Channel::Sms, "fr", &BTreeMap::from([("en".to_owned(), variant("Hi"))])).unwrap_err();
    assert_eq!(none[0].field, "default_locale");
}

#[test]
fn the_sandbox_has_walls() {
    for body in [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999 }}",
        &format!("{{% set a = 'aaaaaaaaaaaaaaaa' %}}{}{{{{ a }}}}", "{% set a = a ~ a %}".repeat(40)),
        &format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)),
    ] {
        match compile(&[("en", variant(body))]) {
            Ok(compiled) => {
                let ann = Ann::new(json!({}));
                assert!(compiled.render(&ann.recipient(None), &Attributes::new()).is_err(), "{body:.60}");
            }
            Err(errors) => assert!(!errors.is_empty()),
        }
    }
    for body in [
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% import 'x' as y %}",
        "{{ debug() }}",
        "{{ x|safe }}",
        "{% macro m() %}{% endmacro %}",
    ] {
        assert!(compile(&[("en", variant(body))]).is_err(), "{body}");
    }
    assert_eq!(
        render("{{ text }}", json!({"text": "x".repeat(1_601)})),
        Err(RenderError::TooLong { characters: 1_601, limit: 1_600 })
    );
    assert!(matches!(render("{{ ' ' }}", json!({})), Err(RenderError::Invalid { .. })));
}

#[test]
fn a_preview_answers_with_what_is_wrong() {
    let ann = Ann::new(json!({"first_name": "Ann"}));
    let of = |body: &str| preview(Channel::Sms, body, &ann.recipient(None), &Attributes::new());
    let good = of("Hi {{ first_name }} “");
    assert_eq!(
        (good.text.as_str(), good.characters, good.segments, good.encoding.as_str()),
        ("Hi Ann “", 8, 1, "UCS-2")
    );
    let gaps = of("{{ a }} {{ home.city }} {{ c|default('-') }} {{ home.zip }}");
    assert_eq!(gaps.text, "[a] [home.city] - [home.zip]");
    assert_eq!(gaps.missing, ["a", "home.city", "home.zip"]);
    let sums = of("{{ price|money }} {{ day|date }} {{ b }}");
    assert_eq!((sums.text.as_str(), sums.missing.len()), ("[price] [day] [b]", 3));
    let reckoned = of("{{ price + 1 }}");
    assert_eq!((reckoned.text.as_str(), reckoned.missing.len(), reckoned.errors.len()), ("", 1, 0));
    assert_eq!(of("\n{% if %}").errors[0].line, 2);
    assert_eq!(of("{{ x|shout }}").errors[0].line, 1);
    assert_eq!(of("{{ first_name|money }}").errors.len(), 1);
    assert_eq!(of(&"x".repeat(1_601)).errors.len(), 1);
    assert_eq!(of("").segments, 0);
}

#[test]
fn places_of_a_content_template_hold_what_its_variables_are_filled_with() {
    let approved = Variant {
        content_sid: Some("HX1".to_owned()),
        content_variables: BTreeMap::from([
            ("1".to_owned(), "{{ first_name|default('there') }}".to_owned()),
            ("2".to_owned(), "20 %".to_owned()),
        ]),
        ..variant("Hi {{1}}, {{ 2 }} off until Sunday.")
    };
    let ann = Ann::new(json!({}));
    let done = compile(&[("en", approved)]).unwrap().render(&ann.recipient(None), &Attributes::new()).unwrap();
    assert_eq!(done.text, "Hi there, 20 % off until Sunday.");
    assert_eq!(done.content_variables.as_deref(), Some(r#"{"1":"there","2":"20 %"}"#));
}
