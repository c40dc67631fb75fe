//! The template while it is edited: every field as a signal, one set for each language.

use leptos::prelude::*;

use super::{
    draft::{Draft, Pair, VariantDraft, filled},
    locales,
};

/// Two texts of one row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LivePair {
    pub key: RwSignal<String>,
    pub value: RwSignal<String>,
}

impl LivePair {
    fn new(pair: Pair) -> Self {
        Self { key: RwSignal::new(pair.key), value: RwSignal::new(pair.value) }
    }
}

/// One language.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LiveVariant {
    locale: StoredValue<String>,
    pub body: RwSignal<String>,
    pub content_sid: RwSignal<String>,
    pub media_url: RwSignal<String>,
    pub vars: RwSignal<Vec<LivePair>>,
    pub buttons: RwSignal<Vec<LivePair>>,
    /// Whether the part about approved templates starts open.
    pub has_more: bool,
}

impl LiveVariant {
    fn new(locale: String, variant: VariantDraft) -> Self {
        let has_more = variant.has_more();
        let rows = |pairs: Vec<Pair>| RwSignal::new(pairs.into_iter().map(LivePair::new).collect());
        Self {
            locale: StoredValue::new(locale),
            body: RwSignal::new(variant.body),
            content_sid: RwSignal::new(variant.content_sid),
            media_url: RwSignal::new(variant.media_url),
            vars: rows(variant.vars),
            buttons: rows(variant.buttons),
            has_more,
        }
    }

    #[must_use]
    pub fn locale(self) -> String {
        self.locale.get_value()
    }

    /// The name of one of its fields in the form, and in the form's errors.
    #[must_use]
    pub fn field(self, part: &str) -> String {
        format!("variants[{}][{part}]", self.locale())
    }

    /// The text as it is sent, with the places of a content template filled.
    #[must_use]
    pub fn text(self) -> String {
        let pairs = self.vars.get().into_iter().map(|pair| (pair.key.get(), pair.value.get())).collect();
        filled(&self.body.get(), &self.content_sid.get(), pairs)
    }

    /// Another empty row.
    pub fn add_row(rows: RwSignal<Vec<LivePair>>) {
        rows.update(|rows| rows.push(LivePair::new(Pair::default())));
    }
}

/// The template.
#[derive(Clone, Copy)]
pub struct Editor {
    pub name: RwSignal<String>,
    pub channel: RwSignal<String>,
    pub category: RwSignal<String>,
    pub default_locale: RwSignal<String>,
    pub variants: RwSignal<Vec<LiveVariant>>,
    /// Languages taken out since the page was opened: they can be put back.
    pub removed: RwSignal<Vec<LiveVariant>>,
    /// The language that was asked for last.
    wanted: RwSignal<String>,
    /// The language that is shown.
    pub active: Memo<String>,
}

impl Editor {
    #[must_use]
    pub fn new(draft: Draft, wanted: String) -> Self {
        let default_locale = RwSignal::new(draft.locale("").to_owned());
        let variants: Vec<_> =
            draft.variants.into_iter().map(|(locale, variant)| LiveVariant::new(locale, variant)).collect();
        let variants = RwSignal::new(variants);
        let wanted = RwSignal::new(wanted);
        let active = Memo::new(move |_| {
            let (wanted, default) = (wanted.get(), default_locale.get());
            variants.with(|variants| {
                let known = |locale: &String| variants.iter().any(|variant| variant.locale() == *locale);
                let first = || variants.first().map(|variant| variant.locale()).unwrap_or_default();
                [wanted, default].into_iter().find(known).unwrap_or_else(first)
            })
        });
        Self {
            name: RwSignal::new(draft.name),
            channel: RwSignal::new(draft.channel),
            category: RwSignal::new(draft.category),
            default_locale,
            variants,
            removed: RwSignal::new(Vec::new()),
            wanted,
            active,
        }
    }

    /// The language that is shown, with all its fields.
    #[must_use]
    pub fn shown(self) -> Option<LiveVariant> {
        let active = self.active.get();
        self.variants.with(|variants| variants.iter().copied().find(|variant| variant.locale() == active))
    }

    pub fn show(self, locale: String) {
        self.wanted.set(locale);
    }

    /// Adds a language, or shows it when it is there. Says whether what was typed is one.
    pub fn add(self, typed: &str) -> bool {
        let Some(locale) = locales::read(typed) else { return false };
        let there = self.variants.with_untracked(|variants| variants.iter().any(|variant| variant.locale() == locale));
        if !there {
            self.insert(LiveVariant::new(locale.clone(), VariantDraft::default()));
        }
        self.removed.update(|removed| removed.retain(|variant| variant.locale() != locale));
        self.show(locale);
        true
    }

    /// Takes a language out, unless it is the last one.
    pub fn remove(self, variant: LiveVariant) {
        if self.variants.with_untracked(Vec::len) < 2 {
            return;
        }
        self.variants.update(|variants| variants.retain(|other| *other != variant));
        self.removed.update(|removed| removed.push(variant));
        if self.default_locale.with_untracked(|default| *default == variant.locale()) {
            let first = self.variants.with_untracked(|variants| variants.first().map(|first| first.locale()));
            self.default_locale.set(first.unwrap_or_default());
        }
    }

    /// Puts a language back that was taken out.
    pub fn restore(self, variant: LiveVariant) {
        self.removed.update(|removed| removed.retain(|other| *other != variant));
        self.insert(variant);
        self.show(variant.locale());
    }

    /// Languages stand in the order of their codes, as they do once they are stored.
    fn insert(self, variant: LiveVariant) {
        self.variants.update(|variants| {
            let place = variants.partition_point(|other| other.locale() < variant.locale());
            variants.insert(place, variant);
        });
    }
}
