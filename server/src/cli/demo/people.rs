//! Invented people with numbers that belong to nobody: ranges that regulators keep for films and books. The North
//! American ones are 555-0100 to 555-0199 of every area code; the Swedish ones are PTS's 070-174 06 05 to 06 99.

use std::fmt::Write as _;

/// How many there are.
pub(super) const COUNT: usize = 200;

struct Place {
    city: &'static str,
    timezone: &'static str,
    locale: &'static str,
    /// The number up to its last two digits.
    prefix: &'static str,
    first_number: usize,
    people: usize,
}

const PLACES: [Place; 8] = [
    Place {
        city: "New York",
        timezone: "America/New_York",
        locale: "en",
        prefix: "+121255501",
        first_number: 0,
        people: 34,
    },
    Place {
        city: "Chicago",
        timezone: "America/Chicago",
        locale: "en",
        prefix: "+131255501",
        first_number: 0,
        people: 24,
    },
    Place {
        city: "Denver",
        timezone: "America/Denver",
        locale: "en",
        prefix: "+130355501",
        first_number: 0,
        people: 18,
    },
    Place {
        city: "Los Angeles",
        timezone: "America/Los_Angeles",
        locale: "en",
        prefix: "+121355501",
        first_number: 0,
        people: 30,
    },
    Place {
        city: "Toronto",
        timezone: "America/Toronto",
        locale: "en",
        prefix: "+141655501",
        first_number: 0,
        people: 26,
    },
    Place {
        city: "Montréal",
        timezone: "America/Toronto",
        locale: "fr",
        prefix: "+151455501",
        first_number: 0,
        people: 20,
    },
    Place {
        city: "Kingston",
        timezone: "America/Jamaica",
        locale: "en",
        prefix: "+187655501",
        first_number: 0,
        people: 12,
    },
    Place {
        city: "Stockholm",
        timezone: "Europe/Stockholm",
        locale: "sv",
        prefix: "+467017406",
        first_number: 5,
        people: 36,
    },
];

const ENGLISH: [&str; 20] = [
    "Olivia", "Liam", "Amara", "Noah", "Priya", "Ethan", "Sofia", "Marcus", "Hannah", "Diego", "Grace", "Kenji",
    "Chloe", "Andre", "Ruth", "Samuel", "Leila", "Owen", "Tanisha", "Victor",
];
const FRENCH: [&str; 10] =
    ["Camille", "Étienne", "Léa", "Mathieu", "Noémie", "Jérôme", "Anaïs", "Luc", "Élodie", "Gabriel"];
const SWEDISH: [&str; 10] = ["Astrid", "Erik", "Freja", "Åsa", "Lars", "Maja", "Oskar", "Signe", "Björn", "Ebba"];
const FAMILIES: [&str; 23] = [
    "Adams",
    "Bergström",
    "Chen",
    "Dubois",
    "Edwards",
    "Fernando",
    "Gagnon",
    "Hughes",
    "Ito",
    "Johansson",
    "Kaur",
    "Lindqvist",
    "Morales",
    "Nguyen",
    "Okafor",
    "Perera",
    "Quinn",
    "Rossi",
    "Silva",
    "Tremblay",
    "Underwood",
    "Vargas",
    "Williams",
];

/// The file, as a shop would export it: a few people opted out, a few never said, and two lines are wrong.
pub(super) fn csv() -> String {
    let mut text =
        String::from("phone,first_name,last_name,city,timezone,locale,consent,plan,total_spent,last_visit\n");
    let mut index = 0;
    for place in &PLACES {
        let names: &[&str] = match place.locale {
            "fr" => &FRENCH,
            "sv" => &SWEDISH,
            _ => &ENGLISH,
        };
        for person in 0..place.people {
            // Steps without a common divisor, so that names and families do not march in step.
            let (first, family) = (names[index * 7 % names.len()], FAMILIES[index * 5 % FAMILIES.len()]);
            let consent = match index % 25 {
                7 => "opted_out",
                12 | 19 => "",
                _ => "opted_in",
            };
            let plan = if index % 3 == 0 { "plus" } else { "basic" };
            let spent = index * 37 % 480;
            let day = 1 + index * 11 % 28;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{}{:02},{first},{family},{},{},{},{consent},{plan},{spent},2026-10-{day:02}",
                place.prefix,
                place.first_number + person,
                place.city,
                place.timezone,
                place.locale,
            );
            index += 1;
        }
    }
    text.push_str("not given,Robin,Baker,Chicago,America/Chicago,en,opted_in,basic,12,2026-10-04\n");
    text.push_str(",Kim,Young,Denver,America/Denver,en,opted_in,basic,80,2026-10-09\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_a_valid_number_of_their_own() {
        let phones: BTreeSet<_> =
            csv().lines().skip(1).filter_map(|line| engine::phone::parse(line.split(',').next()?, None).ok()).collect();
        assert_eq!(phones.len(), COUNT);
    }
}
