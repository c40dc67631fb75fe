//! Slips of the finger: letters held down, a digit behind a word, a letter too many or too few, or letters in
//! other places.

use super::{Meaning, SHORT, TABLE, Wish, clearest, is_unmistakable, length, said, without_courtesy};

/// Nothing is made of words that have fewer letters: "ttt" is no "T" held down, "T1" no "T" with a digit behind it.
const LETTERS: usize = 3;

/// A word of at least so many letters is still told with one slip in it; shorter ones are too near to others ("stop" to
/// "shop" and "step").
pub(super) const LONG: usize = 10;

/// The last of these readings, where letters in it were held down, with one or two of each.
pub(super) fn held_down(typed: &[String]) -> Vec<String> {
    let of_letters = |times| typed.last().and_then(|letters| unstretched(letters, times));
    [1, 2].into_iter().filter_map(of_letters).collect()
}

/// What a short folded text says when a word to stop is not typed quite right in it. Alone, polite or not, it is as good as the
/// word where it can be nothing else; a person decides about all others.
pub(super) fn mistyped(text: &str, stops: &[String]) -> Meaning {
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

#[cfg(test)]
mod tests {
    use domain::keywords::Keywords;

    use super::super::{meaning, meaning_inside};
    use super::*;

    fn of(text: &str) -> Meaning {
        meaning(text, &Keywords::default())
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
}
