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

use std::{cmp::Reverse, collections::HashMap, sync::LazyLock};

use domain::{
    inbound::Keyword,
    keywords::{Keywords, LANGUAGES, Language},
};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Up to so many words, a clear word among them is enough.
const SHORT: usize = 6;

/// Up to so many, a clear phrase is.
const NOT_LONG: usize = 14;

/// Nothing is made of words that have fewer letters: "ttt" is no "T" held down, "T1" no "T" with a digit behind it.
const LETTERS: usize = 3;

/// A word of at least so many letters is still told with one slip in it; shorter ones are too near to others ("stop" to
/// "shop" and "step").
const LONG: usize = 10;

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

/// The last of these readings, where letters in it were held down, with one or two of each.
fn held_down(typed: &[String]) -> Vec<String> {
    let of_letters = |times| typed.last().and_then(|letters| unstretched(letters, times));
    [1, 2].into_iter().filter_map(of_letters).collect()
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

/// Whether our messages are refused in a text: "I don't want these messages". Where more is said of them than that, it may be
/// some of them only: that is a hint.
fn refused(text: &str) -> Meaning {
    clearest(TABLE.refusals.iter().map(|words| refused_by(text, words)))
}

fn refused_by(text: &str, words: &str) -> Meaning {
    let mut found = Meaning::Nothing;
    let mut rest = text;
    while let Some(at) = find(rest, words) {
        rest = &rest[at + words.len()..];
        let refused = rest.trim_start();
        // The longest: "messages" is not all of "messages from you".
        let objects = TABLE.objects.iter().filter(|object| begins_with(refused, object));
        let Some(object) = objects.max_by_key(|object| object.len()) else { continue };
        if narrows_nothing(&without_courtesy(&refused[object.len()..])) {
            return Meaning::Wish(Wish::Stop);
        }
        found = Meaning::Hint;
    }
    found
}

/// Whether nothing but fillers is said.
fn narrows_nothing(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let fillers = TABLE.fillers.iter().filter(|filler| begins_with(rest, filler));
        let Some(filler) = fillers.max_by_key(|filler| filler.len()) else { return false };
        rest = rest[filler.len()..].trim_start();
    }
    true
}

fn begins_with(text: &str, words: &str) -> bool {
    find(text, words) == Some(0)
}

/// What a short folded text says when a word to stop is not typed quite right in it. Alone, polite or not, it is as good as the
/// word where it can be nothing else; a person decides about all others.
fn mistyped(text: &str, stops: &[String]) -> Meaning {
    if length(text) > SHORT {
        return Meaning::Nothing;
    }
    let request = without_courtesy(text);
    let is_alone = !request.contains(' ');
    let with_digit = match without_digit(&request).map(|word| (word, said(word, stops))) {
        // "Cancel2" may be the second of a list.
        Some((word, Meaning::Wish(Wish::Stop))) if is_alone && is_unmistakable(word) => Meaning::Wish(Wish::Stop),
        Some((_, Meaning::Wish(Wish::Stop | Wish::Unsubscribe(_)) | Meaning::Hint)) => Meaning::Hint,
        _ => Meaning::Nothing,
    };
    let slips = request.split(' ').map(|word| match slip(word) {
        Meaning::Wish(_) if !is_alone => Meaning::Hint,
        said => said,
    });
    clearest(std::iter::once(with_digit).chain(slips))
}

/// The text without one digit right behind its last word.
fn without_digit(text: &str) -> Option<&str> {
    let word = text.strip_suffix(|c: char| c.is_ascii_digit())?;
    (word.ends_with(char::is_alphabetic) && word.chars().count() >= LETTERS).then_some(word)
}

/// What a word says that is a long one to stop but for one letter: one too many or too few, or two that changed places. Another
/// letter in the place of one, or a slip at its end, may make another word or a form of it: that is in doubt.
fn slip(word: &str) -> Meaning {
    let letters: Vec<char> = word.chars().collect();
    let is_known = TABLE.whole.contains_key(word) || TABLE.weak.iter().any(|weak| weak == word);
    if is_known || letters.len() + 1 < LONG {
        return Meaning::Nothing;
    }
    clearest(TABLE.long.iter().map(|long| one_slip(long, &letters)))
}

fn one_slip(long: &[char], word: &[char]) -> Meaning {
    let same = long.iter().zip(word).take_while(|(one, other)| one == other).count();
    // Nobody mistakes the first letter.
    if same == 0 {
        return Meaning::Nothing;
    }
    let (long, word) = (&long[same..], &word[same..]);
    let end = long.iter().rev().zip(word.iter().rev()).take_while(|(one, other)| one == other).count();
    match (&long[..long.len() - end], &word[..word.len() - end]) {
        ([_], []) | ([], [_]) if end > 0 => Meaning::Wish(Wish::Stop),
        ([one, two], [three, four]) if end > 0 && one == four && two == three => Meaning::Wish(Wish::Stop),
        ([_], [] | [_]) | ([], [_]) => Meaning::Hint,
        _ => Meaning::Nothing,
    }
}

/// The text with letters that were held down, three or more of one, as so many of it; none when there are none.
fn unstretched(text: &str, times: usize) -> Option<String> {
    let words: Vec<String> = text.split(' ').map(|word| unstretched_word(word, times)).collect();
    let unstretched = words.join(" ");
    (unstretched != text).then_some(unstretched)
}

fn unstretched_word(word: &str, times: usize) -> String {
    let letters: Vec<char> = word.chars().collect();
    let runs = letters.chunk_by(|one, other| one == other);
    let kept = runs.flat_map(|run| {
        let is_stretched = run.len() > 2 && run.iter().all(|c| c.is_alphabetic());
        run.iter().take(if is_stretched { times } else { run.len() })
    });
    let short: String = kept.collect();
    if short.chars().count() < LETTERS { word.to_owned() } else { short }
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

/// Where a word or phrase stands in a text: between blanks, but in scripts that have none anywhere.
fn find(text: &str, word: &str) -> Option<usize> {
    let bounded = !word.chars().any(is_unspaced);
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let end = at + word.len();
        let before = text[..*at].chars().next_back().is_none_or(|c| c == ' ' || c == CUT);
        let after = text[end..].chars().next().is_none_or(|c| c == ' ' || c == CUT);
        !bounded || (before && after)
    })
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Meaning {
        meaning(text, &Keywords::default())
    }

    #[test]
    fn marks_around_an_apostrophe_are_in_order_at_once() {
        let once = fold("\u{1734}'\u{a3c}");
        assert_eq!((fold(&once), once.as_str()), (once.clone(), "\u{a3c}\u{1734}"));
    }

    #[test]
    fn whole_words_count_however_they_are_written() {
        for text in [
            "STOP",
            "stop",
            " Stop. ",
            "\"STOP\"",
            "Stop!!!",
            "ＳＴＯＰ",
            "st\u{200b}op",
            "🛑 STOP 🛑",
            "stop\u{fe0f}",
            "StopAll",
            "Stop  all",
            "UNSUBSCRIBE",
            "cancel",
            "End.",
            "quit",
            "REVOKE",
            "OptOut",
            "opt-out",
            "STOP\n",
            "Baja",
            "NO MAS",
            "no más!",
            "Arrêt",
            "ARRET",
            "stopp",
            "Abmelden",
            "basta",
            "İPTAL",
            "iptal",
            "стоп",
            "Стоп!",
            "СТОП 🙏",
            "إيقاف",
            "बंद",
            "නවත්වන්න",
            "நிறுத்து",
            "berhenti",
            "退订",
            "TD",
            "停止",
            "수신거부",
            "הסר",
            "Hủy",
            "huy",
        ] {
            assert_eq!(of(text), Meaning::Wish(Wish::Stop), "{text:?}");
        }
        for text in ["unstop", "Start.", "alta", "Начать", "开始"] {
            assert_eq!(of(text), Meaning::Wish(Wish::Start), "{text:?}");
        }
        for text in ["Yes!", "sí", "Oui", "JA", "да", "はい", "confirm"] {
            assert_eq!(of(text), Meaning::Wish(Wish::Yes(String::new())), "{text:?}");
        }
        for text in ["Info?", "ayuda", "Hilfe!", "помощь", "உதவி"] {
            assert_eq!(of(text), Meaning::Wish(Wish::Help), "{text:?}");
        }
    }

    #[test]
    fn courtesy_changes_nothing() {
        for text in [
            "Please cancel",
            "remove please, thank you",
            "end please",
            "no más por favor",
            "alto por favor",
            "Baja, gracias",
            "pare por favor",
            "arrêt svp",
            "Arrêt, s’il vous plaît !",
            "beenden bitte",
            "ferma per favore",
            "stoppen aub",
            "proszę: rezygnuję",
            "dur lütfen",
            "отписать, пожалуйста",
            "стоп, будь ласка",
            "توقف من فضلك",
            "הסר בבקשה",
            "बंद कृपया",
            "නවතන්න කරුණාකර",
            "நிறுத்து தயவுசெய்து",
            "tolong hentikan ya",
            "vui lòng hủy",
            "停止谢谢",
            "停止してください",
            "중지 부탁드립니다",
        ] {
            assert_eq!(of(text), Meaning::Wish(Wish::Stop), "{text:?}");
        }
        for text in ["please", "gracias", "谢谢", "info please", "no thanks", "the end, thanks"] {
            assert_eq!(of(text), Meaning::Nothing, "{text:?}");
        }
        let added = Keywords { stop: vec!["Fuera".to_owned()], ..Keywords::default() };
        assert_eq!(meaning("fuera por favor", &added), Meaning::Wish(Wish::Stop));
    }

    #[test]
    fn disguises_are_seen_through() {
        for text in [
            "S T O P",
            "s.t.o.p.",
            "S-T-O-P",
            "🛑",
            " 🛑🛑 !",
            "🚫",
            "⛔\u{fe0f}",
            "ЅТОР",
            "SТОP",
            "stор",
            "ｓ ｔ ｏ ｐ",
            "Ѕ Т О Р",
            "ΕΝD",
            "рlease stор",
        ] {
            assert_eq!(of(text), Meaning::Wish(Wish::Stop), "{text:?}");
        }
        for text in ["👍", "🛑👍", "!", "a b", "s t o r e", "тест", "нет", "Ок", "О К", "x"] {
            assert_eq!(of(text), Meaning::Nothing, "{text:?}");
        }
    }

    #[test]
    fn slips_of_the_finger_are_seen_through() {
        for text in [
            "STOOOP",
            "stoppppp",
            "Pleeease stooop texting meee",
            "Stop1",
            "stop2",
            "please stop1",
            "unsubscribe1",
            "unsubcribe",
            "unsuscribe",
            "Unsubscirbe please",
            "unsubscribbe",
            "unsub",
            "отписатся",
            "arrêêêt",
            "abbesttellen",
        ] {
            assert_eq!(of(text), Meaning::Wish(Wish::Stop), "{text:?}");
        }
        for text in [
            "I unsubcribe",
            "unsubscribed?",
            "Am I unsubscribed?",
            "unsubskribe",
            "desabonné",
            "cancellati",
            "meet me at stop2",
            "end1",
            "finnn",
        ] {
            assert_eq!(of(text), Meaning::Hint, "{text:?}");
        }
        for text in [
            "shop",
            "step",
            "stoop",
            "top1",
            "shop1",
            "T1",
            "TTT",
            "td2",
            "bus stop2",
            "stop12x",
            "subscriber",
            "anmeldung",
            "soooo good",
            "page2",
            "option1",
            "www",
            "1000",
        ] {
            assert_eq!(of(text), Meaning::Nothing, "{text:?}");
        }
        for text in ["startttt", "start1"] {
            assert_eq!(of(text), Meaning::Nothing, "nobody is opted in by a slip: {text:?}");
        }
        assert_eq!(meaning_inside("subscribe? no, stooop"), Meaning::Wish(Wish::Stop));
    }

    #[test]
    fn no_topic_is_called_as_a_keyword() {
        let added = Keywords { stop: vec!["fuera".to_owned()], ..Keywords::default() };
        for key in
            ["stop", "start", "opt-out", "all", "me", "help", "info", "subscribe", "unsubscribe", "baja", "fuera"]
        {
            assert!(is_taken(key, &added), "{key}");
        }
        for key in ["offers", "news", "price-drops", "2026", "stop-press"] {
            assert!(!is_taken(key, &added), "{key}");
        }
    }

    #[test]
    fn clear_words_and_phrases_count_in_a_short_message() {
        for text in [
            "please stop",
            "Stop it now please",
            "stop texting me",
            "please stop sending me these",
            "I want to unsubscribe",
            "Take me off your list",
            "Remove me from this list please",
            "PLEASE don't text me again",
            "leave me alone!!",
            "No more messages, thanks",
            "Opt me out",
            "ok stop",
            "stop sending me this nonstop",
            "Stop at once!",
            "I never stop by, please stop texting me",
            "quiero la baja",
            "para de enviar esto",
            "no me escriban más",
            "Por favor dejen de enviar mensajes",
            "Quiero darme de baja",
            "não quero receber mais mensagens",
            "Ne m'écrivez plus",
            "ne m’envoyez plus rien",
            "Bitte keine Nachrichten mehr",
            "bitte abmelden",
            "non scrivetemi più",
            "geen berichten meer aub",
            "mesaj atmayın lütfen",
            "Больше не пишите мне",
            "请不要再发了",
            "別再發給我",
            "もう送らないでください",
            "문자 그만 보내세요",
            "jangan kirim lagi",
            "मुझे मैसेज मत भेजो",
            "කරුණාකර එවන්න එපා",
            "தயவு செய்து அனுப்ப வேண்டாம்",
            "I do not want to receive messages anymore",
            "I don't want these messages",
            "We are no longer interested. I do not need any more texts",
            "je ne veux plus recevoir de messages",
            "Ich möchte keine Werbung",
            "non voglio altri messaggi",
            "ik wil geen berichten meer",
            "nie chcę więcej wiadomości",
            "proszę nie pisać",
            "proszę, nie wysyłajcie",
            "Déjenme en paz",
            "ya no quiero sus mensajes",
            "me tira dessa lista",
            "не надо мне писать",
            "мне не нужны ваши сообщения",
            "đừng nhắn tin nữa",
            "xin đừng gửi",
            "不要再給我發訊息",
            "别再给我发信息了",
        ] {
            assert_eq!(of(text), Meaning::Wish(Wish::Stop), "{text:?}");
        }
    }

    #[test]
    fn what_begins_like_a_wish_for_a_topic_may_say_the_opposite() {
        for text in ["Subscribe? No, stop texting me", "subscribe me to nothing, please stop", "SUBSCRIBE? рlease stор"]
        {
            assert!(matches!(of(text), Meaning::Wish(Wish::Subscribe(_))), "{text:?}");
            assert_eq!(meaning_inside(text), Meaning::Wish(Wish::Stop), "{text:?}");
        }
        assert_eq!(meaning_inside("subscribe to your spam"), Meaning::Hint);
        for text in ["subscribe gardening", "SUBSCRIBE", "subscribe, please don't stop"] {
            assert_eq!(meaning_inside(text), Meaning::Nothing, "{text:?}");
        }
    }

    #[test]
    fn what_may_mean_it_waits_for_a_person() {
        for text in [
            "Please cancel my order 4711, it came too late",
            "I would like to know when your shop will finally stop selling this old model",
            "this is spam",
            "who gave you my number?",
            "quisiera cancelar mi pedido de ayer",
            "Ich möchte meine Bestellung stornieren",
            "How do I unsubscribe my old number and keep this new one on the list for the future?",
            "You never stop texting me",
            "I said stop and you didn't stop",
            "You didn't stop",
            "You won't stop messaging me",
            "You don't stop sending these",
            "why do your messages not stop?",
            "I can't stop these messages",
            "Put a stop to these messages",
            "First stop sending me these",
            "Stop at 5 pm at the latest",
            "stop by all means",
            "where is the stop?",
            "para",
            "¡Para!",
            "para ya por favor",
            "fin",
            "Fin, merci.",
            "si baja el precio me avisan",
            "arrêt maintenant",
            "ich kann mich nicht abmelden",
            "Hör auf!",
            "ik kan me niet afmelden",
            "vocês escrevem sem parar",
            "vous m'écrivez sans arrêt",
            "توقف الآن",
            "मैसेज बंद नहीं हो रहे",
            "pesan tidak berhenti",
            "为什么不退订",
            "I don't want messages at night",
            "I don't want messages from other shops, only yours",
            "I don't want texts but WhatsApp is fine",
            "I don't need sms verification",
            "não quero mensagens em inglês",
            "Ich möchte keine Nachrichten auf Englisch",
            "Ich möchte keine SMS, lieber WhatsApp",
            "no quiero mensajes durante el trabajo",
            "Hi, why did I stop receiving your weekly messages?",
            "cancel2",
            "remove3",
            "I don't want these messages to stop",
            "I do not want to receive my order on Monday",
            "not interested",
            "I unsubscribed last week and you still write to me every single day",
            "не хочу получать заказ завтра",
        ] {
            assert_eq!(of(text), Meaning::Hint, "{text:?}");
        }
    }

    #[test]
    fn what_is_negated_or_another_word_is_nothing() {
        for text in [
            "don't stop",
            "Don’t stop!",
            "please do not stop",
            "bus stop",
            "at the bus stop",
            "non-stop",
            "nonstop",
            "stopping by",
            "We will stop by tomorrow",
            "the end",
            "",
            "🙂",
            "helpful",
            "no paren, me encanta",
            "gracias, es para mi madre",
            "unbelievable",
            "restart",
            "I love it, please never stop",
            "See you at the last stop",
            "不要取消",
            "Weekend?",
            "recommend",
            "this is my startup",
            "the bus stop is closed",
            "don't stop sending, I love it",
            "I don't want to stop receiving your messages",
            "I will stop at the shop",
            "we'll stop by your office",
            "meet me at the stop",
            "for the weekend, until the end",
            "es para ti",
            "fin de semana en casa",
            "la casa tiene planta baja",
            "la calidad es muy baja",
            "él es muy alto",
            "no quiero la baja",
            "baja california",
            "vivo en Baja California",
            "I don't want the blue one",
            "no quiero el azul",
            "ne veux pas de sucre",
            "obrigado, gostei muito",
            "mi pare di sì, grazie",
            "le magasin ferme à six heures",
            "c'est dur pour la fin du mois",
            "à l'arrêt de bus",
            "n'arrêtez pas, j'adore",
            "Bitte nicht abmelden",
            "Ich komme heute um fünf",
            "ci vediamo domani sera",
            "ik kom morgen langs, bedankt",
            "dziękuję, będę jutro",
            "yarın öğlen gelirim",
            "спасибо, я приду завтра",
            "дякую, я прийду завтра",
            "شكرا، أراكم غدا",
            "תודה, נתראה מחר",
            "दुकान बंद है क्या",
            "ස්තූතියි, හෙට එන්නම්",
            "நன்றி, நாளை வருகிறேன்",
            "terima kasih, sampai besok",
            "cảm ơn, hẹn gặp ngày mai",
            "谢谢,明天见",
            "ありがとうございます、また明日",
            "그만큼 좋아요, 감사합니다",
        ] {
            assert_eq!(of(text), Meaning::Nothing, "{text:?}");
        }
    }

    #[test]
    fn words_of_ones_own_count_as_whole_messages() {
        let added = Keywords {
            stop: vec!["Fuera".to_owned()],
            start: vec!["Dale".to_owned()],
            help: vec!["¿Qué?".to_owned()],
            yes: vec!["Vale".to_owned()],
        };
        assert_eq!(meaning("vale", &added), Meaning::Wish(Wish::Yes(String::new())));
        assert_eq!(meaning("¡FUERA!", &added), Meaning::Wish(Wish::Stop));
        assert_eq!(meaning("dale", &added), Meaning::Wish(Wish::Start));
        assert_eq!(meaning("que", &added), Meaning::Wish(Wish::Help));
        assert_eq!(meaning("fuera de casa", &added), Meaning::Nothing);
        assert_eq!(built_in("Stop!"), Some(Keyword::Stop));
        assert_eq!(built_in("fuera"), None);
    }

    #[test]
    fn no_added_word_takes_an_opt_out_away() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let added = Keywords {
            stop: words(&["Fuera"]),
            start: words(&[
                "please stop texting me",
                "stop please",
                "no more messages",
                "st\u{43e}\u{440}",
                "fuera gracias",
            ]),
            help: words(&["unsubscribe me now", "cancel my order", "S T O P"]),
            yes: words(&["opt me out", "unsubscribe offers"]),
        };
        for text in [
            "Please stop texting me",
            "STOP, please",
            "no more messages!",
            "st\u{43e}\u{440}",
            "Fuera, gracias",
            "S T O P",
        ] {
            assert_eq!(meaning(text, &added), Meaning::Wish(Wish::Stop), "{text:?}");
        }
        assert!(matches!(meaning("unsubscribe me now", &added), Meaning::Wish(Wish::Unsubscribe(_))));
        assert!(matches!(meaning("Unsubscribe offers", &added), Meaning::Wish(Wish::Unsubscribe(_))));
        assert_eq!(meaning("Opt me out", &added), Meaning::Wish(Wish::Stop));
        assert_eq!(meaning("cancel my order", &added), Meaning::Hint);
        for (text, word) in [
            ("please stop texting me", "stop texting"),
            ("stop please", "stop"),
            ("no more messages", "no more messages"),
            ("cancel my order", "cancel"),
            ("Fuera, gracias", "fuera gracias"),
        ] {
            assert_eq!(opt_out_in(text, &added.stop).as_deref(), Some(word), "{text:?}");
        }
        for text in ["Dale", "don't stop", "subscribe", "help", "fuera de casa"] {
            assert_eq!(opt_out_in(text, &added.stop), None, "{text:?}");
        }
        let subscribes = Keywords { start: words(&["subscribe me"]), ..Keywords::default() };
        assert_eq!(meaning("Subscribe me!", &subscribes), Meaning::Wish(Wish::Start));
    }

    #[test]
    fn topics_are_named_after_the_word() {
        assert_eq!(of("Subscribe  OFFERS!"), Meaning::Wish(Wish::Subscribe("offers".to_owned())));
        assert_eq!(of("UNSUBSCRIBE 'Flash Sales'"), Meaning::Wish(Wish::Unsubscribe("flash sales".to_owned())));
        assert_eq!(of("subscribe"), Meaning::Wish(Wish::Subscribe(String::new())));
        assert_eq!(of("Please unsubscribe offers"), Meaning::Wish(Wish::Unsubscribe("offers".to_owned())));
        assert_eq!(of("por favor, subscribe news"), Meaning::Wish(Wish::Subscribe("news".to_owned())));
        assert_eq!(of("please unsubscribe my old number and keep this new one on the list"), Meaning::Hint);
    }

    #[test]
    fn buttons_and_twilio_say_it_too() {
        assert_eq!(Wish::of_button("OPT_OUT"), Some(Wish::Stop));
        assert_eq!(Wish::of_button("opt_out:offers"), Some(Wish::Unsubscribe("offers".to_owned())));
        assert_eq!(Wish::of_button("OPT_OUT:"), Some(Wish::Stop));
        assert_eq!(Wish::of_button("OPT_OUTSIDE"), None);
        assert_eq!(Wish::of_opt_out_type("STOP"), Some(Wish::Stop));
        assert_eq!(Wish::of_opt_out_type("other"), None);
        assert!(is_twilios_own(" Stop ") && is_twilios_own("YES") && !is_twilios_own("please stop"));
        assert!(!is_twilios_own("Stop.") && !is_twilios_own("ＳＴＯＰ") && !is_twilios_own("🛑 stop"));
    }

    #[test]
    fn a_payload_leaves_only_where_it_can_mean_nothing_else() {
        let of = |payload: &str| meaning_of_payload(payload, &Keywords::default());
        for payload in ["STOP", "stop_all", "StopAll", "unsubscribe", "UNSUBSCRIBE_ALL", "opt-out", "OptOut", "退订"]
        {
            assert_eq!(of(payload), Meaning::Wish(Wish::Stop), "{payload:?}");
        }
        assert_eq!(of("unsubscribe_offers"), Meaning::Wish(Wish::Unsubscribe("offers".to_owned())));
        for payload in
            ["cancel", "T", "baja", "end", "quit", "remove", "stop_delivery", "remove_me_from_the_waiting_list"]
        {
            assert_eq!(of(payload), Meaning::Hint, "{payload:?}");
        }
        for payload in ["cancel_order_4711", "START", "help", "yes", "bus_stop", "all", "call", ""] {
            assert_eq!(of(payload), Meaning::Nothing, "{payload:?}");
        }
    }

    /// What the table says of itself: nothing is empty, and no word to start or for help is one to stop elsewhere.
    #[test]
    fn the_table_makes_sense() {
        for language in LANGUAGES {
            assert!(
                !language.stop.is_empty() && !language.start.is_empty() && !language.help.is_empty(),
                "{}",
                language.code
            );
            let lists = [
                language.stop,
                language.start,
                language.help,
                language.strong,
                language.phrases,
                language.refusals,
                language.objects,
                language.fillers,
                language.weak,
                language.negations,
                language.doubts,
                language.courtesy,
                language.ordinary,
                language.alone,
            ];
            for word in lists.into_iter().flatten() {
                assert!(!fold(word).is_empty(), "{}: {word:?}", language.code);
            }
            for (words, kind) in
                [(language.stop, Keyword::Stop), (language.start, Keyword::Start), (language.help, Keyword::Help)]
            {
                for word in words {
                    assert_eq!(built_in(word), Some(kind), "{}: {word:?}", language.code);
                }
            }
            for word in language.ordinary {
                assert_eq!(built_in(word), Some(Keyword::Stop), "{}: {word:?}", language.code);
            }
            for words in language.doubts {
                assert_eq!(of(words), Meaning::Hint, "{}: {words:?}", language.code);
            }
            for words in language.negations {
                assert_eq!(of(words), Meaning::Nothing, "{}: {words:?}", language.code);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn any_text_is_folded_once_and_for_all(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
            meaning(&text, &Keywords::default());
        }

        #[test]
        fn decoration_changes_nothing(word in prop::sample::select(&["stop", "baja", "стоп", "退订"][..]), around in "[ .!,🙂\u{200b}]{0,5}") {
            prop_assert_eq!(of(&format!("{around}{word}{around}")), Meaning::Wish(Wish::Stop));
        }
    }
}
