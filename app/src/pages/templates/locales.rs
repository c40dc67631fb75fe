//! Languages by the names their speakers give them. Other codes work as well: they are shown as they are.

/// Code, own name, English name.
const NAMES: [(&str, &str, &str); 36] = [
    ("en", "English", "English"),
    ("af", "Afrikaans", "Afrikaans"),
    ("ar", "العربية", "Arabic"),
    ("bn", "বাংলা", "Bengali"),
    ("cs", "Čeština", "Czech"),
    ("da", "Dansk", "Danish"),
    ("de", "Deutsch", "German"),
    ("el", "Ελληνικά", "Greek"),
    ("es", "Español", "Spanish"),
    ("fa", "فارسی", "Persian"),
    ("fi", "Suomi", "Finnish"),
    ("fr", "Français", "French"),
    ("he", "עברית", "Hebrew"),
    ("hi", "हिन्दी", "Hindi"),
    ("hu", "Magyar", "Hungarian"),
    ("id", "Bahasa Indonesia", "Indonesian"),
    ("it", "Italiano", "Italian"),
    ("ja", "日本語", "Japanese"),
    ("ko", "한국어", "Korean"),
    ("ms", "Bahasa Melayu", "Malay"),
    ("nb", "Norsk", "Norwegian"),
    ("nl", "Nederlands", "Dutch"),
    ("pl", "Polski", "Polish"),
    ("pt", "Português", "Portuguese"),
    ("ro", "Română", "Romanian"),
    ("ru", "Русский", "Russian"),
    ("si", "සිංහල", "Sinhala"),
    ("sv", "Svenska", "Swedish"),
    ("sw", "Kiswahili", "Swahili"),
    ("ta", "தமிழ்", "Tamil"),
    ("th", "ไทย", "Thai"),
    ("tr", "Türkçe", "Turkish"),
    ("uk", "Українська", "Ukrainian"),
    ("ur", "اردو", "Urdu"),
    ("vi", "Tiếng Việt", "Vietnamese"),
    ("zh", "中文", "Chinese"),
];

/// The language's own name, with the region where there is one: `Português (BR)`.
#[must_use]
pub fn name(code: &str) -> String {
    let (language, region) = code.split_once('-').map_or((code, ""), |(language, region)| (language, region));
    match NAMES.iter().find(|(known, ..)| *known == language) {
        Some((_, own, _)) if region.is_empty() => (*own).to_owned(),
        Some((_, own, _)) => format!("{own} ({region})"),
        None => code.to_owned(),
    }
}

/// Codes and names to choose from: `si`, `Sinhala · සිංහල`.
pub fn offered() -> impl Iterator<Item = (&'static str, String)> {
    NAMES.iter().map(|(code, own, english)| {
        (*code, if own == english { (*english).to_owned() } else { format!("{english} · {own}") })
    })
}

/// The code of what was typed: a code in any case (`pt_br`), or a language's name. Nothing when it is neither.
#[must_use]
pub fn read(typed: &str) -> Option<String> {
    let typed = typed.trim();
    let typed_small = small(typed);
    let same = |known: &str| small(known) == typed_small;
    if let Some((code, ..)) = NAMES.iter().find(|(code, own, english)| same(code) || same(own) || same(english)) {
        return Some((*code).to_owned());
    }
    let mut parts = typed.split(['-', '_']);
    let language = parts.next().filter(|part| (2..=3).contains(&part.len()) && letters(part))?;
    let mut code = language.to_ascii_lowercase();
    for part in parts {
        let fits = (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            return None;
        }
        code.push('-');
        // BCP 47 writes regions large and scripts with a capital.
        match part.len() {
            2 => code.push_str(&part.to_ascii_uppercase()),
            4 if letters(part) => {
                code.push_str(&part[..1].to_ascii_uppercase());
                code.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => code.push_str(part),
        }
    }
    Some(code)
}

fn letters(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// In small letters. By the browser where there is one: std's tables of letters would be 6 kB of the download.
fn small(text: &str) -> String {
    #[cfg(feature = "hydrate")]
    return leptos::web_sys::js_sys::JsString::from(text).to_lower_case().into();
    #[cfg(not(feature = "hydrate"))]
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_by_code_and_by_name() {
        assert_eq!(read(" SI "), Some("si".to_owned()));
        assert_eq!(read("Sinhala"), Some("si".to_owned()));
        assert_eq!(read("தமிழ்"), Some("ta".to_owned()));
        assert_eq!(read("pt_br"), Some("pt-BR".to_owned()));
        assert_eq!(read("zh-hans-cn"), Some("zh-Hans-CN".to_owned()));
        assert_eq!(read("gsw"), Some("gsw".to_owned()));
        for wrong in ["", "e", "klingon", "en]", "en-", "é", "en--US"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn languages_have_names() {
        assert_eq!(name("si"), "සිංහල");
        assert_eq!(name("pt-BR"), "Português (BR)");
        assert_eq!(name("gsw"), "gsw");
    }
}
