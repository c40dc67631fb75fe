//! What numbers say of their owners' clocks (reference/compliance.md §3).

use super::*;

fn of(phone: &str) -> Zones {
    zones_of(&phone.parse().expect("a phone"), None)
}

#[test]
fn numbers_of_one_place_have_its_zone() {
    for (phone, zone) in [
        ("+12125550100", "America/New_York"),
        ("+14155550100", "America/Los_Angeles"),
        ("+16045550100", "America/Vancouver"),
        ("+94771234567", "Asia/Colombo"),
        ("+442071234567", "Europe/London"),
        ("+447911123456", "Europe/Guernsey"),
        ("+74951234567", "Europe/Moscow"),
        ("+919876543210", "Asia/Kolkata"),
    ] {
        let zones = of(phone);
        assert!(zones.names().contains(&zone), "{phone}: {:?}", zones.names());
        if !matches!(zones.source(), Source::Country) {
            assert!(zones.names().len() <= 2, "{phone}: {:?}", zones.names());
        }
    }
    assert_eq!(of("+12125550100").names(), ["America/New_York"]);
    assert_eq!(of("+94771234567").names(), ["Asia/Colombo"]);
}

#[test]
fn an_area_code_of_two_clocks_has_both() {
    for code in ["605", "701", "775"] {
        let phone = format!("+1{code}9995678");
        let zones = of(&phone);
        assert_eq!(zones.names().len(), 2, "{phone}: {:?}", zones.names());
        assert_eq!(zones.source(), Source::Prefix);
    }
}

#[test]
fn a_number_of_no_place_has_no_zone() {
    for phone in ["+18005550100", "+18885550100", "+80012345678", "+19002345678", "+999123456789"] {
        let zones = of(phone);
        assert!(zones.is_empty(), "{phone}: {:?}", zones.names());
        assert_eq!(zones.source(), Source::Nowhere);
    }
}

/// libphonenumber mixes Russia and Kazakhstan in +7, and gives Algeria, Libya, Morocco, Nicaragua and Palestine other
/// countries' zones.
#[test]
fn the_country_decides_where_the_map_of_prefixes_is_wrong() {
    for (phone, country, wrong) in [
        ("+77710009998", "KZ", "Europe/Moscow"),
        ("+79161234567", "RU", "Asia/Almaty"),
        ("+213551234567", "DZ", "Europe/Paris"),
        ("+212650123456", "MA", "Atlantic/Canary"),
        ("+218912345678", "LY", "Europe/Bucharest"),
        ("+50581234567", "NI", "America/Chicago"),
        ("+970599123456", "PS", "Europe/Bucharest"),
        ("+61412345678", "AU", "Pacific/Auckland"),
    ] {
        let zones = of(phone);
        assert!(!zones.is_empty(), "{phone}");
        assert!(zones.names().iter().all(|name| country_of(name) == Some(country)), "{phone}: {:?}", zones.names());
        assert!(!zones.names().contains(&wrong));
    }
}

/// By offset on 2027-07-01 (acceptance check 2).
#[test]
fn country_zones_tell_the_right_time() {
    let at = jiff::Timestamp::from_second(1_814_400_000).expect("an instant");
    assert_eq!(at.to_string(), "2027-07-01T00:00:00Z");
    for (phone, hours) in
        [("+213551234567", 1), ("+212650123456", 0), ("+218912345678", 2), ("+50581234567", -6), ("+970599123456", 3)]
    {
        for zone in of(phone).zones() {
            assert_eq!(zone.to_offset(at).seconds(), hours * 3_600, "{phone} {:?}", zone.iana_name());
        }
    }
}

#[test]
fn mobiles_of_wide_countries_have_all_their_zones() {
    let of_australia = of("+61412345678");
    assert!(of_australia.names().contains(&"Australia/Darwin") && of_australia.names().contains(&"Australia/Perth"));
    assert_eq!(of_australia.source(), Source::Country);
    let of_spain = of("+34612345678");
    assert!(of_spain.names().contains(&"Atlantic/Canary") && of_spain.names().contains(&"Europe/Madrid"));
    assert!(of("+79161234567").names().len() > 20);
}

#[test]
fn what_the_person_says_wins() {
    let phone: Phone = "+12125550100".parse().expect("a phone");
    let said = zones_of(&phone, Some("asia/colombo"));
    assert_eq!((said.names(), said.source()), (&["Asia/Colombo"][..], Source::Timezone));
    let toll_free: Phone = "+18005550100".parse().expect("a phone");
    assert_eq!(zones_of(&toll_free, Some("Europe/Paris")).names(), ["Europe/Paris"]);
    for unusable in [None, Some(""), Some("Mars/Olympus"), Some("Etc/Unknown")] {
        assert_eq!(zones_of(&phone, unusable).names(), ["America/New_York"], "{unusable:?}");
    }
}

#[test]
fn a_zone_of_no_place_leaves_it_to_the_number() {
    let phone = |text: &str| text.parse::<Phone>().expect("a phone");
    for zone in ["UTC", "utc", "GMT", "Etc/GMT+5", "Etc/UTC", "Zulu"] {
        let zones = zones_of(&phone("+919876543210"), Some(zone));
        assert_eq!((zones.names(), zones.source()), (&["Asia/Kolkata"][..], of("+919876543210").source()), "{zone}");
        assert!(zones_of(&phone("+18005550100"), Some(zone)).is_empty(), "{zone}");
    }
    let told = zones_of(&phone("+18005550100"), Some("utc"));
    assert_eq!(told.known_from(), "the number belongs to no place, and the contact's time zone UTC is no place's");
    assert_eq!(of("+18005550100").known_from(), "the number belongs to no place");
    // A clock that people live by stays theirs.
    assert_eq!(zones_of(&phone("+12125550100"), Some("PST8PDT")).names(), ["PST8PDT"]);
}

#[test]
fn the_same_zones_are_one_set() {
    assert_eq!(of("+12125550100"), of("+16465550100"));
    assert_ne!(of("+12125550100"), of("+14155550100"));
    let phone: Phone = "+14155550100".parse().expect("a phone");
    assert_eq!(zones_of(&phone, Some("America/New_York")), of("+12125550100"));
}
