//! A template as the editor holds it: what is typed, in the shape in which the form posts it.

use std::collections::BTreeMap;

#[cfg(feature = "ssr")]
use domain::{consent::Category, content_template::ContentTemplate, template::Button};
use domain::{
    content_template::{numbered, with_variables},
    template::{Template, Variant},
};
use serde::{Deserialize, Serialize};

/// Two texts that belong together: a content variable and its expression, a button and what it sends back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pair {
    pub key: String,
    pub value: String,
}

impl Pair {
    fn new(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: value.to_owned() }
    }
}

/// One language as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariantDraft {
    pub body: String,
    pub content_sid: String,
    pub media_url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Pair>,
}

/// What the editor holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    pub name: String,
    pub channel: String,
    pub category: String,
    pub default_locale: String,
    /// The version it was made from.
    pub version: i64,
    pub variants: BTreeMap<String, VariantDraft>,
}

impl From<&Variant> for VariantDraft {
    fn from(variant: &Variant) -> Self {
        Self {
            body: variant.body.clone(),
            content_sid: variant.content_sid.clone().unwrap_or_default(),
            media_url: variant.media_url.clone().unwrap_or_default(),
            vars: variant.content_variables.iter().map(|(key, value)| Pair::new(key, value)).collect(),
            buttons: variant
                .buttons
                .iter()
                .map(|button| Pair::new(&button.title, button.payload.as_deref().unwrap_or_default()))
                .collect(),
        }
    }
}

#[cfg(feature = "ssr")]
impl From<&ContentTemplate> for VariantDraft {
    fn from(content: &ContentTemplate) -> Self {
        Self {
            body: content.body.clone(),
            content_sid: content.sid.clone(),
            media_url: String::new(),
            vars: content.variables.keys().map(|key| Pair::new(key, "")).collect(),
            buttons: content.buttons.iter().map(|title| Pair::new(title, "")).collect(),
        }
    }
}

impl VariantDraft {
    /// As it is stored: rows left empty do not count, and line ends are those of a text, not those of a form.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub fn variant(&self) -> Variant {
        let given = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let pairs = |pairs: &[Pair]| -> Vec<(String, Option<String>)> {
            pairs.iter().filter_map(|pair| Some((given(&pair.key)?, given(&pair.value)))).collect()
        };
        Variant {
            body: lines(&self.body),
            content_sid: given(&self.content_sid),
            content_variables: pairs(&self.vars)
                .into_iter()
                .map(|(key, value)| (key, value.unwrap_or_default()))
                .collect(),
            media_url: given(&self.media_url),
            buttons: pairs(&self.buttons).into_iter().map(|(title, payload)| Button { title, payload }).collect(),
        }
    }

    /// The text with the places of its variables filled; those that nothing is filled in for yet stay as they are.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub fn text(&self) -> String {
        let pairs = self.vars.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
        filled(&self.body, &self.content_sid, pairs)
    }

    /// Whether there is more than a text: then the part about approved templates is open.
    #[must_use]
    pub fn has_more(&self) -> bool {
        let filled = |pairs: &[Pair]| pairs.iter().any(|pair| !pair.key.is_empty() || !pair.value.is_empty());
        !self.content_sid.is_empty() || !self.media_url.is_empty() || filled(&self.vars) || filled(&self.buttons)
    }
}

/// A text of the editor with the places of a content template's variables filled, as it is stored and sent. What nothing is
/// filled in for stays readable: `{{1}}` is a place, not the number 1.
#[must_use]
pub fn filled(body: &str, content_sid: &str, pairs: Vec<(String, String)>) -> String {
    if content_sid.trim().is_empty() {
        return body.to_owned();
    }
    let mut values: BTreeMap<String, String> =
        numbered(body).into_iter().map(|key| (key.to_owned(), format!("{{{{ '{{{{{key}}}}}' }}}}"))).collect();
    values.extend(pairs.into_iter().filter(|(_, value)| !value.trim().is_empty()));
    with_variables(body, |key| values.get(key).map(String::as_str)).into_owned()
}

impl From<&Template> for Draft {
    fn from(template: &Template) -> Self {
        Self {
            name: template.name.clone(),
            channel: template.channel.as_str().to_owned(),
            category: template.category.as_str().to_owned(),
            default_locale: template.default_locale.clone(),
            version: template.version,
            variants: template.variants.iter().map(|(locale, variant)| (locale.clone(), variant.into())).collect(),
        }
    }
}

impl Draft {
    /// The language that is shown when this one is asked for.
    #[must_use]
    pub fn locale<'a>(&'a self, wanted: &'a str) -> &'a str {
        let known = |locale: &str| self.variants.contains_key(locale);
        match (known(wanted), known(&self.default_locale)) {
            (true, _) => wanted,
            (false, true) => &self.default_locale,
            (false, false) => self.variants.keys().next().map_or("en", String::as_str),
        }
    }
}

/// What only the server does with it.
#[cfg(feature = "ssr")]
impl Draft {
    /// What a new template starts with.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            channel: "whatsapp".to_owned(),
            category: "marketing".to_owned(),
            default_locale: "en".to_owned(),
            variants: BTreeMap::from([("en".to_owned(), VariantDraft::default())]),
            ..Self::default()
        }
    }

    /// A new template of a content template, in all languages that WhatsApp knows its name in. Nothing where there is no
    /// text, such as of a login code.
    #[must_use]
    pub fn of_contents(content: &ContentTemplate, all: &[ContentTemplate]) -> Option<Self> {
        let siblings = all.iter().filter(|other| {
            other.name == content.name && other.account_sid == content.account_sid && !other.approval.is_refused()
        });
        let locale =
            |content: &ContentTemplate| super::locales::read(&content.language).unwrap_or_else(|| "en".to_owned());
        let mut variants: BTreeMap<String, VariantDraft> =
            siblings.map(|sibling| (locale(sibling), sibling.into())).collect();
        variants.insert(locale(content), content.into());
        variants.retain(|_, variant| !variant.body.is_empty());
        (!content.body.is_empty()).then(|| Self {
            name: content.name.clone(),
            channel: "whatsapp".to_owned(),
            category: content.category.unwrap_or(Category::Marketing).as_str().to_owned(),
            default_locale: locale(content),
            version: 0,
            variants,
        })
    }

    #[must_use]
    pub fn variants(&self) -> BTreeMap<String, Variant> {
        self.variants.iter().map(|(locale, variant)| (locale.clone(), variant.variant())).collect()
    }

    /// A change that a button asks for without scripts: `add`, `remove-si`, `var-si`, `button-si`. Answers the language
    /// to show then; nothing when the new language cannot be read.
    #[must_use]
    pub fn change(&mut self, op: &str, new_locale: &str) -> Option<String> {
        let (act, locale) = op.split_once('-').unwrap_or((op, ""));
        match act {
            "add" => {
                let locale = super::locales::read(new_locale)?;
                self.variants.entry(locale.clone()).or_default();
                return Some(locale);
            }
            "remove" if self.variants.len() > 1 => {
                self.variants.remove(locale);
                self.default_locale = self.locale("").to_owned();
                return Some(self.default_locale.clone());
            }
            "var" => self.variants.entry(locale.to_owned()).or_default().vars.push(Pair::default()),
            "button" => self.variants.entry(locale.to_owned()).or_default().buttons.push(Pair::default()),
            _ => {}
        }
        Some(locale.to_owned())
    }

    /// The field of the form that a service's error is about: `variants.si.body` is `variants[si][body]`.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        let Some(rest) = name.strip_prefix("variants.") else { return name.to_owned() };
        let (locale, rest) = rest.split_once('.').unwrap_or((rest, "body"));
        let of = |part: &str| format!("variants[{locale}][{part}]");
        if let Some(key) = rest.strip_prefix("content_variables") {
            let key = key.trim_start_matches(['.', '[']).trim_end_matches(']');
            let rows = self.variants.get(locale).map(|variant| variant.vars.as_slice()).unwrap_or_default();
            let row = rows.iter().position(|pair| pair.key.trim() == key).unwrap_or(0);
            return of(&format!("vars][{row}][value"));
        }
        if let Some(place) = rest.strip_prefix("buttons") {
            let row: String = place.chars().filter(char::is_ascii_digit).collect();
            return of(&format!("buttons][{}][key", if row.is_empty() { "0" } else { &row }));
        }
        of(rest)
    }
}

/// A form ends lines with two characters, a text with one.
#[cfg(feature = "ssr")]
#[must_use]
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Drafts on their way through a URL, where scripts do not run.
#[cfg(feature = "ssr")]
mod url {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

    use super::{BTreeMap, Deserialize, Draft, Serialize, Template, VariantDraft};

    /// What proxies pass on without settings of their own (8 kB for the whole line).
    const MAX_LENGTH: usize = 6_500;

    #[derive(Serialize, Deserialize)]
    struct Kept {
        draft: Draft,
        /// Languages that are as they are stored: left out above.
        same: Vec<String>,
    }

    impl Draft {
        /// Short enough for a URL; nothing when it cannot be.
        #[must_use]
        pub fn to_url(&self, stored: Option<&Template>) -> Option<String> {
            self.to_text(stored).filter(|text| text.len() <= MAX_LENGTH)
        }

        /// As text, however long. Only what differs from the stored template travels.
        #[must_use]
        pub fn to_text(&self, stored: Option<&Template>) -> Option<String> {
            let stored = stored.map(Self::from).unwrap_or_default().variants;
            let mut draft = self.clone();
            let (same, variants): (BTreeMap<String, VariantDraft>, _) = std::mem::take(&mut draft.variants)
                .into_iter()
                .map(|(locale, variant)| (locale, VariantDraft { body: super::lines(&variant.body), ..variant }))
                .partition(|(locale, variant)| stored.get(locale) == Some(variant));
            draft.variants = variants;
            let json = serde_json::to_vec(&Kept { draft, same: same.into_keys().collect() }).ok()?;
            Some(BASE64_URL_SAFE_NO_PAD.encode(json))
        }

        /// The draft that [`Draft::to_url`] or [`Draft::to_text`] wrote.
        #[must_use]
        pub fn from_url(text: &str, stored: Option<&Template>) -> Option<Self> {
            let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            let Kept { mut draft, same } = serde_json::from_slice(&json).ok()?;
            let mut stored = stored.map(Self::from).unwrap_or_default().variants;
            for locale in same {
                if let Some(variant) = stored.remove(&locale) {
                    draft.variants.entry(locale).or_insert(variant);
                }
            }
            (!draft.variants.is_empty()).then_some(draft)
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn variant(body: &str) -> VariantDraft {
        VariantDraft { body: body.to_owned(), ..VariantDraft::default() }
    }

    #[test]
    fn empty_rows_do_not_count() {
        let draft = VariantDraft {
            body: "Hi\r\nthere".to_owned(),
            content_sid: " HX1 ".to_owned(),
            vars: vec![Pair::new("1", "{{ first_name }}"), Pair::default()],
            buttons: vec![Pair::default(), Pair::new("Book now", "")],
            ..VariantDraft::default()
        };
        let variant = draft.variant();
        assert_eq!(variant.body, "Hi\nthere");
        assert_eq!(variant.content_sid.as_deref(), Some("HX1"));
        assert_eq!(variant.content_variables.len(), 1);
        assert_eq!(variant.buttons, [Button { title: "Book now".to_owned(), payload: None }]);
        assert_eq!(variant.media_url, None);
        let again = VariantDraft::from(&variant);
        assert_eq!(again.variant(), variant);
        assert!(again.has_more());
    }

    #[test]
    fn languages_come_and_go() {
        let mut draft = Draft::fresh();
        assert_eq!(draft.change("add", "Sinhala").as_deref(), Some("si"));
        assert_eq!(draft.change("add", "?"), None);
        assert_eq!(draft.locale("ta"), "en");
        assert_eq!(draft.change("var-si", "").as_deref(), Some("si"));
        assert_eq!(draft.variants["si"].vars.len(), 1);
        assert_eq!(draft.change("remove-en", "").as_deref(), Some("si"));
        assert_eq!(draft.default_locale, "si");
        let _ = draft.change("remove-si", "");
        assert_eq!(draft.variants.len(), 1, "the last language stays");
    }

    #[test]
    fn errors_find_their_field() {
        let mut draft = Draft::fresh();
        draft.variants.insert(
            "pt-BR".to_owned(),
            VariantDraft { vars: vec![Pair::new("1", "a"), Pair::new("2", "b")], ..VariantDraft::default() },
        );
        assert_eq!(draft.field("name"), "name");
        assert_eq!(draft.field("variants"), "variants");
        assert_eq!(draft.field("variants.en"), "variants[en][body]");
        assert_eq!(draft.field("variants.en.content_sid"), "variants[en][content_sid]");
        assert_eq!(draft.field("variants.pt-BR.content_variables.2"), "variants[pt-BR][vars][1][value]");
        assert_eq!(draft.field("variants.pt-BR.buttons[1].title"), "variants[pt-BR][buttons][1][key]");
    }

    #[test]
    fn drafts_travel_in_a_url() {
        let mut draft = Draft::fresh();
        draft.name = "Weekend & more".to_owned();
        draft.variants.insert("si".to_owned(), variant("ආයුබෝවන්"));
        let url = draft.to_url(None).unwrap();
        assert!(url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{url}");
        assert_eq!(Draft::from_url(&url, None), Some(draft.clone()));
        assert_eq!(Draft::from_url("nonsense", None), None);
        draft.variants.insert("ta".to_owned(), variant(&"வ".repeat(1_700)));
        assert_eq!(draft.to_url(None), None, "too long for a URL");
    }

    #[test]
    fn what_is_stored_needs_no_room() {
        use domain::{consent::Category, message::Channel, time::Timestamp};
        let long = variant(&"x".repeat(1_600));
        let stored = Template {
            id: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            name: "Long".to_owned(),
            channel: Channel::Whatsapp,
            category: Category::Marketing,
            default_locale: "en".to_owned(),
            variants: ["en", "de", "fr", "it"].map(|locale| (locale.to_owned(), long.variant())).into(),
            variables: Vec::new(),
            version: 3,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
        };
        let mut draft = Draft::from(&stored);
        draft.variants.insert("de".to_owned(), variant("kurz"));
        draft.variants.remove("it");
        let url = draft.to_url(Some(&stored)).unwrap();
        assert!(url.len() < 400);
        assert_eq!(Draft::from_url(&url, Some(&stored)), Some(draft));
    }
}
