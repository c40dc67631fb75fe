//! What a person's message asks for, in three steps (compliance rules in docs/decisions/0027-opt-outs-in-any-words.md):
//!
//! 1. the whole message is a word of any language, polite or not: "Stop.", "Arrêt, s'il vous plaît" are wishes;
//! 2. a short message has a clear word in it, or one of some length a clear phrase: "please stop texting me" is one, too;
//! 3. a word that may mean it, in a message that may be about something else ("cancel my order"), is a hint: nobody is
//!    opted out by it, but marketing waits until somebody has read the message. So is a word of the first kind in a short
//!    message, and a clear word whose surroundings put it in doubt ("you never stop").
//!
//! What is not typed quite right is read as what it is meant for where that is clear: letters held down ("STOOOP"), letters
//! apart, those of another alphabet, and, alone, a digit behind a word or a slip inside of a long one ("stop1",
//! "unsubcribe"). Where such a slip stands among other words, or may be a form of the word ("unsubscribed?"), it is a hint.
//!
//! What surely is its opposite ("don't stop") or a place ("bus stop") is none of them. No model, no guessing: tables.

mod refusals;
mod slips;

use std::{cmp::Reverse, collections::HashMap, sync::LazyLock};

use domain::{
    inbound::Keyword,
    keywords::{Keywords, LANGUAGES, Language},
};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use refusals::refused;
use slips::{LONG, held_down, mistyped};

/// Up to so many words, a clear word among them is enough.
const SHORT: usize = 6;

/// Up to so many, a clear phrase is.
const NOT_LONG: usize = 14;

/// What Twilio itself answers on SMS numbers, by default ("Support for opt-out keywords").
const TWILIOS_OWN: &[&str] = &[
    "stop",
    "unsubscribe",
    "end",
    "quit",
    "stopall",
    "revoke",
    "optout",
    "cancel",
    "start",
    "yes",
    "unstop",
    "help",
    "info",
];

/// All languages' words, folded.
static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    whole: HashMap<String, Keyword>,
    strong: Vec<String>,
    phrases: Vec<String>,
    refusals: Vec<String>,
    objects: Vec<String>,
    fillers: Vec<String>,
    weak: Vec<String>,
    /// Words to stop that are no ordinary ones.
    telling: Vec<String>,
    /// The long ones of them and of the strong ones, by their letters.
    long: Vec<Vec<char>>,
    ordinary: Vec<String>,
    alone: Vec<String>,
    /// The longest first, as those below.
    courtesy: Vec<String>,
    surroundings: Vec<Surroundings>,
}

/// What is around a word and turns it into something else.
struct Surroundings {
    words: String,
    /// Or perhaps does.
    in_doubt: bool,
}

impl Table {
    fn new() -> Self {
        let all = |of: fn(&Language) -> &'static [&'static str]| -> Vec<String> {
            LANGUAGES.iter().flat_map(of).map(|word| fold(word)).collect()
        };
        let mut whole = HashMap::new();
        // What stops comes last: should two languages use a word differently, the person is left alone.
        for (kind, words) in [
            (Keyword::Yes, all(|language| language.yes)),
            (Keyword::Help, all(|language| language.help)),
            (Keyword::Start, all(|language| language.start)),
            (Keyword::Stop, all(|language| language.stop)),
        ] {
            whole.extend(words.into_iter().map(|word| (word, kind)));
        }
        let ordinary = all(|language| language.ordinary);
        let mut telling = all(|language| language.stop);
        telling.retain(|word| !ordinary.contains(word));
        let strong = all(|language| language.strong);
        let letters = telling.iter().chain(&strong).map(|word| word.chars().collect::<Vec<char>>());
        // Of alphabets whose letters stand for themselves, and no phrases.
        let long = letters.filter(|word| word.len() >= LONG && word.iter().all(|c| c.is_lowercase())).collect();
        let mut courtesy = all(|language| language.courtesy);
        courtesy.sort_by_key(|words| Reverse(words.len()));
        let surely = all(|language| language.negations).into_iter().map(|words| (words, false));
        let perhaps = all(|language| language.doubts).into_iter().map(|words| (words, true));
        let mut surroundings: Vec<Surroundings> =
            surely.chain(perhaps).map(|(words, in_doubt)| Surroundings { words, in_doubt }).collect();
        // "You don't stop" is in doubt, "don't stop" is not.
        surroundings.sort_by_key(|around| Reverse(around.words.len()));
        Self {
            whole,
            strong,
            phrases: all(|language| language.phrases),
            refusals: all(|language| language.refusals),
            objects: all(|language| language.objects),
            fillers: all(|language| language.fillers),
            weak: all(|language| language.weak),
            telling,
            long,
            ordinary,
            alone: all(|language| language.alone),
            courtesy,
            surroundings,
        }
    }
}

/// What a text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Wish(Wish),
    /// Perhaps an opt-out: for a person to decide.
    Hint,
    Nothing,
}

/// The meaning of a text, with the words that were added to the built-in ones. What says or may say "no more messages" is
/// that, whatever else an added word makes of it.
pub(super) fn meaning(text: &str, added: &Keywords) -> Meaning {
    let folded = fold(text);
    if folded.is_empty() {
        return if is_stop_sign(text) { Meaning::Wish(Wish::Stop) } else { Meaning::Nothing };
    }
    let typed = typed(folded);
    let held_down = held_down(&typed);
    let stops = &added.stop;
    let said_typed = typed.iter().map(|reading| said(reading, stops));
    let said_held_down = held_down.iter().map(|reading| match said(reading, stops) {
        // Letters held down let nobody in again.
        Meaning::Wish(Wish::Start) => Meaning::Nothing,
        said => said,
    });
    let mistyped = typed.iter().chain(&held_down).map(|reading| mistyped(reading, stops));
    let meaning = clearest(said_typed.chain(said_held_down).chain(mistyped));
    if !matches!(meaning, Meaning::Nothing | Meaning::Wish(Wish::Subscribe(_))) {
        return meaning;
    }
    let own = typed.iter().find_map(|reading| Wish::of_added(reading, added));
    own.map_or(meaning, Meaning::Wish)
}

/// What the words inside of a text say, whatever it begins with.
pub(super) fn meaning_inside(text: &str) -> Meaning {
    clearest(readings(fold(text)).iter().map(|reading| inside(reading)))
}

/// A folded text as it stands, and what it may look like only: letters apart, those of another alphabet, or held down.
fn readings(folded: String) -> Vec<String> {
    let mut readings = typed(folded);
    readings.extend(held_down(&readings));
    readings
}

/// A folded text as it stands, and by its letters where those stand apart or are of another alphabet.
fn typed(folded: String) -> Vec<String> {
    let latin = latin(&folded);
    let joined = spelled(latin.as_deref().unwrap_or(&folded));
    [Some(folded), joined, latin].into_iter().flatten().collect()
}

/// What the first reading that says something says. One that leaves, in clear words, counts more than a doubt before it.
fn clearest(meanings: impl Iterator<Item = Meaning>) -> Meaning {
    let mut found = Meaning::Nothing;
    for meaning in meanings {
        match meaning {
            Meaning::Wish(wish) if found == Meaning::Nothing || wish.leaves() => return Meaning::Wish(wish),
            Meaning::Hint => found = Meaning::Hint,
            Meaning::Wish(_) | Meaning::Nothing => {}
        }
    }
    found
}

/// The word or phrase by which a text is an opt-out, or may be one: a word that was added for something else must not take
/// it away.
pub(crate) fn opt_out_in(text: &str, stops: &[String]) -> Option<String> {
    let added = Keywords { stop: stops.to_vec(), ..Keywords::default() };
    let leaves = match meaning(text, &added) {
        Meaning::Wish(wish) => wish.leaves(),
        Meaning::Hint => true,
        Meaning::Nothing => false,
    };
    leaves.then(|| {
        let readings = readings(fold(text));
        let mut words = TABLE.phrases.iter().chain(&TABLE.strong).chain(&TABLE.telling).chain(&TABLE.weak);
        let found = words.find(|word| readings.iter().any(|reading| find(reading, word).is_some())).cloned();
        found.unwrap_or_else(|| readings.into_iter().next().unwrap_or_default())
    })
}

/// What a button's payload says: it is a name that a program gave, and such a name may be any word. Only what means
/// nothing else is a wish to leave; what would be one as a message ("cancel", "T") is a hint, all others are nothing.
pub(super) fn meaning_of_payload(payload: &str, added: &Keywords) -> Meaning {
    match meaning(payload, added) {
        Meaning::Wish(Wish::Unsubscribe(topic)) => Meaning::Wish(Wish::Unsubscribe(topic)),
        Meaning::Wish(Wish::Stop) if is_unmistakable(&fold(payload)) => Meaning::Wish(Wish::Stop),
        Meaning::Wish(Wish::Stop) => Meaning::Hint,
        Meaning::Wish(_) | Meaning::Hint | Meaning::Nothing => Meaning::Nothing,
    }
}

/// Whether a folded text is nothing but a word or phrase that is clear inside of a message, too, and no ordinary word;
/// everything may be added.
fn is_unmistakable(text: &str) -> bool {
    let word = text.strip_suffix("all").map_or(text, str::trim_end);
    let mut clear = TABLE.strong.iter().chain(&TABLE.phrases).filter(|clear| !TABLE.ordinary.contains(clear));
    clear.any(|clear| clear == word || clear == text)
}

/// The meaning of a folded text, with the words to stop that were added.
fn said(text: &str, stops: &[String]) -> Meaning {
    if let Some(wish) = Wish::of_whole(text, stops) {
        return Meaning::Wish(wish);
    }
    let request = without_courtesy(text);
    match Wish::of_whole(&request, stops) {
        Some(Wish::Stop) => return Meaning::Wish(Wish::Stop),
        // "Please unsubscribe offers". What goes on for long says more than the name of a topic.
        Some(wish @ (Wish::Subscribe(_) | Wish::Unsubscribe(_))) if length(&request) <= SHORT => {
            return Meaning::Wish(wish);
        }
        _ => {}
    }
    match inside(text) {
        Meaning::Nothing if TABLE.alone.contains(&request) => Meaning::Hint,
        meaning => meaning,
    }
}

/// What the words inside of a folded text say.
fn inside(text: &str) -> Meaning {
    let (said, in_doubt) = without_negated(text);
    let length = length(text);
    let says = |words: &[String]| words.iter().any(|word| find(&said, word).is_some());
    let is_short = length <= SHORT;
    let refused = refused(&said);
    let is_clear = says(&TABLE.phrases) || refused == Meaning::Wish(Wish::Stop);
    let may_mean_it = || is_clear || refused == Meaning::Hint || says(&TABLE.weak) || says(&TABLE.strong);
    if (length <= NOT_LONG && is_clear) || (is_short && says(&TABLE.strong)) {
        Meaning::Wish(Wish::Stop)
    } else if in_doubt || may_mean_it() || (is_short && says(&TABLE.telling)) {
        Meaning::Hint
    } else {
        Meaning::Nothing
    }
}

/// Signs that mean stop by themselves.
const STOP_SIGNS: &[char] = &['🛑', '🚫', '⛔'];

/// Whether a text is stop signs and nothing else.
fn is_stop_sign(text: &str) -> bool {
    let mut signs =
        text.chars().filter(|c| !c.is_whitespace() && !c.is_ascii_punctuation() && !is_invisible(*c)).peekable();
    signs.peek().is_some() && signs.all(|c| STOP_SIGNS.contains(&c))
}

/// The word of a text that spells it: "s t o p". Two letters are no word.
fn spelled(text: &str) -> Option<String> {
    let letters: Vec<&str> = text.split(' ').collect();
    let single = letters.len() > 2 && letters.iter().all(|letter| letter.chars().nth(1).is_none());
    single.then(|| letters.concat())
}

/// The text in Latin letters, when some of its letters are of another alphabet and look like them (Unicode, UTS 39:
/// confusables), and all are Latin then.
fn latin(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let latin: String = text.chars().map(looks_like).collect();
    latin.is_ascii().then_some(latin)
}

const fn looks_like(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' => 'e',
        'һ' | 'н' => 'h',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' | 'μ' => 'm',
        'ո' | 'ν' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' | 'ꜱ' => 's',
        'т' | 'τ' | 'ᴛ' => 't',
        'ս' | 'υ' => 'u',
        'ѵ' => 'v',
        'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'ү' => 'y',
        other => other,
    }
}

/// Whether people already say something else by this topic's key: by the word itself, or by it after SUBSCRIBE or
/// UNSUBSCRIBE.
pub(crate) fn is_taken(key: &str, added: &Keywords) -> bool {
    let said = |text: &str| match meaning(text, added) {
        Meaning::Wish(Wish::Subscribe(topic) | Wish::Unsubscribe(topic)) => topic != fold(key),
        Meaning::Wish(_) => true,
        Meaning::Hint | Meaning::Nothing => false,
    };
    let word = fold(key);
    let is_whole = Wish::of_whole(&word, &added.stop).or_else(|| Wish::of_added(&word, added)).is_some();
    let itself = is_whole || word == "unsubscribe";
    itself || ["subscribe", "unsubscribe"].iter().any(|verb| said(&format!("{verb} {key}")))
}

/// What this word is already, built in.
pub(crate) fn built_in(word: &str) -> Option<Keyword> {
    TABLE.whole.get(&fold(word)).copied()
}

/// Whether two words are the same to whoever listens.
pub(crate) fn same_word(one: &str, other: &str) -> bool {
    fold(one) == fold(other)
}

/// Whether nothing of it is left to listen to.
pub(crate) fn is_no_word(text: &str) -> bool {
    fold(text).is_empty()
}

/// Whether Twilio answers this text by itself on SMS: it knows these words alone, in upper and lower case.
pub(super) fn is_twilios_own(text: &str) -> bool {
    TWILIOS_OWN.iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// The text without what turns a word into its opposite or into another one, and whether some of that is in doubt.
fn without_negated(text: &str) -> (String, bool) {
    let (mut said, mut in_doubt) = (text.to_owned(), false);
    for around in &TABLE.surroundings {
        in_doubt |= cut_out(&mut said, &around.words) && around.in_doubt;
    }
    (said, in_doubt)
}

/// The text without what makes it polite.
pub(super) fn without_courtesy(text: &str) -> String {
    let mut said = text.to_owned();
    for words in &TABLE.courtesy {
        cut_out(&mut said, words);
    }
    let rest: Vec<&str> = said.split([' ', CUT]).filter(|word| !word.is_empty()).collect();
    rest.join(" ")
}

/// What stands where something was cut out of a text.
const CUT: char = '\u{1f}';

/// Cuts these words out wherever they stand; whether they stood anywhere.
fn cut_out(text: &mut String, words: &str) -> bool {
    let mut found = false;
    while let Some(at) = find(text, words) {
        text.replace_range(at..at + words.len(), CUT.encode_utf8(&mut [0; 4]));
        found = true;
    }
    found
}

/// Where a word or phrase stands in a text: between blanks, but in scripts that have none anywhere. A message is searched for
/// hundreds of them, so only the beginnings of its words are looked at.
fn find(text: &str, word: &str) -> Option<usize> {
    if word.chars().any(is_unspaced) {
        return if text.is_ascii() { None } else { text.find(word) };
    }
    let is_blank = |byte: &u8| *byte == b' ' || char::from(*byte) == CUT;
    let mut at = 0;
    loop {
        let rest = text.as_bytes().get(at..)?;
        if rest.strip_prefix(word.as_bytes()).is_some_and(|after| after.first().is_none_or(is_blank)) {
            return Some(at);
        }
        at += rest.iter().position(is_blank)? + 1;
    }
}

/// How long a text is, in words; two characters of scripts without blanks are one.
fn length(text: &str) -> usize {
    text.split(' ').count() + text.chars().filter(|c| is_unspaced(*c)).count() / 2
}

/// Chinese characters and Japanese kana. Korean has blanks, but joins its particles to the words.
const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}')
}

/// A wish, and the topic it speaks of, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Start,
    Help,
    /// The topic may be missing.
    Subscribe(String),
    Unsubscribe(String),
    /// Yes to a question of ours; about which topic is told by a button alone.
    Yes(String),
}

impl Wish {
    /// What the message counts as.
    pub(super) const fn keyword(&self) -> Keyword {
        match self {
            Self::Stop => Keyword::Stop,
            Self::Start => Keyword::Start,
            Self::Help => Keyword::Help,
            Self::Subscribe(_) => Keyword::Subscribe,
            Self::Unsubscribe(_) => Keyword::Unsubscribe,
            Self::Yes(_) => Keyword::Yes,
        }
    }

    /// Whether the person wants less than before.
    const fn leaves(&self) -> bool {
        matches!(self, Self::Stop | Self::Unsubscribe(_))
    }

    /// The wish that a whole text is by the built-in words, and by those to stop that were added.
    fn of_whole(text: &str, stops: &[String]) -> Option<Self> {
        let is_added = stops.iter().any(|word| fold(word) == text);
        let kind = if is_added { Some(Keyword::Stop) } else { TABLE.whole.get(text).copied() };
        match kind {
            Some(Keyword::Stop) => Some(Self::Stop),
            Some(Keyword::Start) => Some(Self::Start),
            Some(Keyword::Help) => Some(Self::Help),
            Some(Keyword::Yes) => Some(Self::Yes(String::new())),
            _ if text == "subscribe" => Some(Self::Subscribe(String::new())),
            _ => {
                let subscribe = text.strip_prefix("subscribe ").map(|topic| Self::Subscribe(fold(topic)));
                subscribe.or_else(|| text.strip_prefix("unsubscribe ").map(|topic| Self::Unsubscribe(fold(topic))))
            }
        }
    }

    /// The wish that a whole text is by the other words that were added.
    fn of_added(text: &str, added: &Keywords) -> Option<Self> {
        let is_one_of = |words: &[String]| words.iter().any(|word| fold(word) == text);
        if is_one_of(&added.start) {
            Some(Self::Start)
        } else if is_one_of(&added.help) {
            Some(Self::Help)
        } else if is_one_of(&added.yes) {
            Some(Self::Yes(String::new()))
        } else {
            None
        }
    }

    /// The wish behind a button: `OPT_OUT`, `OPT_OUT:<topic>`, `OPT_IN`, `OPT_IN:<topic>`. The last two are the answer to a
    /// question, and nothing else.
    pub(super) fn of_button(payload: &str) -> Option<Self> {
        let payload = payload.trim();
        let (word, topic) = payload.split_once(':').unwrap_or((payload, ""));
        let topic = fold(topic);
        if word.trim().eq_ignore_ascii_case("OPT_IN") {
            return Some(Self::Yes(topic));
        }
        if !word.trim().eq_ignore_ascii_case("OPT_OUT") {
            return None;
        }
        Some(if topic.is_empty() { Self::Stop } else { Self::Unsubscribe(topic) })
    }

    /// What Twilio's Advanced Opt-Out understood.
    pub(super) fn of_opt_out_type(word: &str) -> Option<Self> {
        match word.trim().to_ascii_uppercase().as_str() {
            "STOP" => Some(Self::Stop),
            "START" => Some(Self::Start),
            "HELP" => Some(Self::Help),
            _ => None,
        }
    }
}

/// A text as keywords and topics are compared: compatibility forms and case folded, accents of Latin, Greek and Cyrillic
/// letters and invisible characters removed, apostrophes too ("don't" is "dont"); whatever else is neither letter, mark
/// nor digit is a blank, and blanks are collapsed.
pub(super) fn fold(text: &str) -> String {
    // What goes, goes before the marks that it stood between are put in order.
    let is_kept = |c: &char| !is_invisible(*c) && !is_accent(*c) && !is_apostrophe(*c);
    let spaced: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .nfd()
        .filter(is_kept)
        .nfc()
        .map(|c| match c {
            // Typed without their own keyboards, Turkish, Vietnamese and Polish have these.
            'ı' => 'i',
            'đ' => 'd',
            'ł' => 'l',
            c if c.is_alphanumeric() || is_combining_mark(c) => c,
            _ => ' ',
        })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}')
}

const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Zero-width characters, soft hyphen, direction marks, variation selectors and control characters.
fn is_invisible(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    is_control
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
