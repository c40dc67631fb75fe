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
fn no_topic_is_called_as_a_keyword() {
    let added = Keywords { stop: vec!["fuera".to_owned()], ..Keywords::default() };
    for key in ["stop", "start", "opt-out", "all", "me", "help", "info", "subscribe", "unsubscribe", "baja", "fuera"] {
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
    for text in
        ["Please stop texting me", "STOP, please", "no more messages!", "st\u{43e}\u{440}", "Fuera, gracias", "S T O P"]
    {
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
    for payload in ["STOP", "stop_all", "StopAll", "unsubscribe", "UNSUBSCRIBE_ALL", "opt-out", "OptOut", "退订"] {
        assert_eq!(of(payload), Meaning::Wish(Wish::Stop), "{payload:?}");
    }
    assert_eq!(of("unsubscribe_offers"), Meaning::Wish(Wish::Unsubscribe("offers".to_owned())));
    for payload in ["cancel", "T", "baja", "end", "quit", "remove", "stop_delivery", "remove_me_from_the_waiting_list"]
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
