//! Countries as people write them, for numbers in national form. Two letters (ISO 3166) are always understood; these
//! are the names and abbreviations that stand in address books.

use crate::phone;

/// The region a cell of a country column means.
pub(super) fn region_of(cell: &str) -> Option<String> {
    let cell = cell.trim();
    if phone::is_region(cell) {
        let code = cell.to_ascii_uppercase();
        return Some(if code == "UK" { "GB".to_owned() } else { code });
    }
    let wanted = super::header::compact(cell);
    NAMES.iter().find(|(name, _)| *name == wanted).map(|(_, code)| (*code).to_owned())
}

/// Names in the form of [`super::header::compact`].
const NAMES: &[(&str, &str)] = &[
    ("afghanistan", "AF"),
    ("algeria", "DZ"),
    ("argentina", "AR"),
    ("australia", "AU"),
    ("austria", "AT"),
    ("osterreich", "AT"),
    ("azerbaijan", "AZ"),
    ("bahrain", "BH"),
    ("bangladesh", "BD"),
    ("belgium", "BE"),
    ("belgie", "BE"),
    ("belgique", "BE"),
    ("bolivia", "BO"),
    ("brazil", "BR"),
    ("brasil", "BR"),
    ("bulgaria", "BG"),
    ("cambodia", "KH"),
    ("cameroon", "CM"),
    ("canada", "CA"),
    ("chile", "CL"),
    ("china", "CN"),
    ("colombia", "CO"),
    ("costarica", "CR"),
    ("croatia", "HR"),
    ("cyprus", "CY"),
    ("czechia", "CZ"),
    ("czechrepublic", "CZ"),
    ("denmark", "DK"),
    ("danmark", "DK"),
    ("dominicanrepublic", "DO"),
    ("ecuador", "EC"),
    ("egypt", "EG"),
    ("elsalvador", "SV"),
    ("estonia", "EE"),
    ("ethiopia", "ET"),
    ("finland", "FI"),
    ("suomi", "FI"),
    ("france", "FR"),
    ("georgia", "GE"),
    ("germany", "DE"),
    ("deutschland", "DE"),
    ("ghana", "GH"),
    ("greece", "GR"),
    ("guatemala", "GT"),
    ("honduras", "HN"),
    ("hongkong", "HK"),
    ("hungary", "HU"),
    ("iceland", "IS"),
    ("india", "IN"),
    ("indonesia", "ID"),
    ("iran", "IR"),
    ("iraq", "IQ"),
    ("ireland", "IE"),
    ("israel", "IL"),
    ("italy", "IT"),
    ("italia", "IT"),
    ("ivorycoast", "CI"),
    ("jamaica", "JM"),
    ("japan", "JP"),
    ("jordan", "JO"),
    ("kazakhstan", "KZ"),
    ("kenya", "KE"),
    ("kuwait", "KW"),
    ("latvia", "LV"),
    ("lebanon", "LB"),
    ("lithuania", "LT"),
    ("luxembourg", "LU"),
    ("malaysia", "MY"),
    ("maldives", "MV"),
    ("malta", "MT"),
    ("mexico", "MX"),
    ("morocco", "MA"),
    ("myanmar", "MM"),
    ("nepal", "NP"),
    ("netherlands", "NL"),
    ("nederland", "NL"),
    ("newzealand", "NZ"),
    ("nicaragua", "NI"),
    ("nigeria", "NG"),
    ("norway", "NO"),
    ("norge", "NO"),
    ("oman", "OM"),
    ("pakistan", "PK"),
    ("panama", "PA"),
    ("paraguay", "PY"),
    ("peru", "PE"),
    ("philippines", "PH"),
    ("poland", "PL"),
    ("polska", "PL"),
    ("portugal", "PT"),
    ("puertorico", "PR"),
    ("qatar", "QA"),
    ("romania", "RO"),
    ("saudiarabia", "SA"),
    ("senegal", "SN"),
    ("serbia", "RS"),
    ("singapore", "SG"),
    ("slovakia", "SK"),
    ("slovenia", "SI"),
    ("southafrica", "ZA"),
    ("southkorea", "KR"),
    ("spain", "ES"),
    ("espana", "ES"),
    ("srilanka", "LK"),
    ("sweden", "SE"),
    ("sverige", "SE"),
    ("switzerland", "CH"),
    ("schweiz", "CH"),
    ("suisse", "CH"),
    ("taiwan", "TW"),
    ("tanzania", "TZ"),
    ("thailand", "TH"),
    ("tunisia", "TN"),
    ("turkey", "TR"),
    ("turkiye", "TR"),
    ("uganda", "UG"),
    ("ukraine", "UA"),
    ("unitedkingdom", "GB"),
    ("greatbritain", "GB"),
    ("england", "GB"),
    ("unitedarabemirates", "AE"),
    ("uae", "AE"),
    ("unitedstates", "US"),
    ("unitedstatesofamerica", "US"),
    ("usa", "US"),
    ("uruguay", "UY"),
    ("venezuela", "VE"),
    ("vietnam", "VN"),
    ("zambia", "ZM"),
    ("zimbabwe", "ZW"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_understood() {
        for (cell, expected) in [
            (" lk ", Some("LK")),
            ("uk", Some("GB")),
            ("Sri Lanka", Some("LK")),
            ("ÖSTERREICH", Some("AT")),
            ("Türkiye", Some("TR")),
            ("United Kingdom", Some("GB")),
            ("XX", None),
            ("Atlantis", None),
            ("", None),
        ] {
            assert_eq!(region_of(cell).as_deref(), expected, "{cell}");
        }
    }

    #[test]
    fn every_name_leads_to_a_region_with_numbers() {
        for (name, code) in NAMES {
            assert!(phone::is_region(code), "{code}");
            assert_eq!(super::super::header::compact(name), *name, "written so that it can be found");
        }
    }
}
