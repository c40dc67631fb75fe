//! Conversations: what makes one, who sees it, what an answer does to it.

mod support;

use domain::{
    actor::{Actor, ActorKind},
    contact::NewContact,
    conversation::{
        Conversation, ConversationDetail, ConversationFilter, ConversationPatch, ConversationStatus, Direction, Said,
    },
    message::{Channel, Kind, NewMessage, State},
    page::PageRequest,
    phone::Phone,
    role::Role,
    time::Timestamp,
};
use engine::Error;
use support::{Bench, START, US, benches, signed};

const ANN: &str = "+14155550123";
const BEN: &str = "+14155550124";

fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

async fn list(bench: &Bench, filter: ConversationFilter) -> Vec<Conversation> {
    bench.engine.conversations().list(&bench.admin, &filter, &PageRequest::default()).await.unwrap().items
}

async fn phones(bench: &Bench, filter: ConversationFilter) -> Vec<String> {
    list(bench, filter).await.iter().map(|one| one.phone.to_string()).collect()
}

async fn with(bench: &Bench, number: &str) -> ConversationDetail {
    bench.engine.conversations().get(&bench.admin, &phone(number), &PageRequest::default()).await.unwrap()
}

fn open() -> ConversationFilter {
    ConversationFilter { status: Some(ConversationStatus::Open), ..ConversationFilter::default() }
}

fn unread() -> ConversationFilter {
    ConversationFilter { unread: true, ..ConversationFilter::default() }
}

/// Somebody who logs in, and what they may do.
async fn account(bench: &Bench, email: &str, role: Role) -> Actor {
    let (account, _) = bench.engine.accounts().create(&bench.admin, email, role, None).await.unwrap();
    Actor::new(ActorKind::Account, account.id.to_string(), role)
}

fn text(number: &str, body: &str) -> NewMessage {
    NewMessage {
        phone: phone(number),
        template_id: None,
        body: Some(body.to_owned()),
        channel: Some(Channel::Whatsapp),
        sender_id: None,
        variables: serde_json::Map::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_opens_a_conversation_and_counts_until_it_is_seen() {
    for bench in benches().await {
        bench.says("SM1", ANN, "When do you open?").await;
        bench.clock.advance(60 * Timestamp::SECOND);
        bench.says("SM2", BEN, "Hello").await;
        bench.says("SM3", ANN, "And on Sunday?").await;
        // The same message once more is no second one.
        bench.says("SM3", ANN, "And on Sunday?").await;
        let all = list(&bench, open()).await;
        let told: Vec<_> = all.iter().map(|one| (one.phone.as_str(), one.unread, one.last_text.as_deref())).collect();
        assert!(
            told.contains(&(ANN, 2, Some("And on Sunday?"))) && told.contains(&(BEN, 1, Some("Hello"))),
            "{told:?}"
        );
        assert_eq!(all[0].last_at, all[0].last_inbound_at);

        let detail = with(&bench, ANN).await;
        let words: Vec<_> = detail
            .items
            .iter()
            .map(|said| match said {
                Said::In(heard) => heard.body.clone().unwrap_or_default(),
                Said::Out(_) => panic!("nobody has answered"),
            })
            .collect();
        assert_eq!(words, ["And on Sunday?", "When do you open?"]);

        // What came after the reader looked stays unread.
        let conversations = bench.engine.conversations();
        let seen = |until| ConversationPatch { read_until: Some(until), ..ConversationPatch::default() };
        let kept = conversations.update(&bench.admin, &phone(ANN), seen(START)).await.unwrap();
        assert_eq!(kept.unread, 2);
        let last = kept.last_inbound_at.unwrap();
        let read = conversations.update(&bench.admin, &phone(ANN), seen(last)).await.unwrap();
        assert_eq!((read.unread, read.version), (0, kept.version), "reading is no edit");
        assert_eq!(phones(&bench, unread()).await, [BEN]);
        let both = |status| ConversationFilter { status: Some(status), ..unread() };
        assert_eq!(phones(&bench, both(ConversationStatus::Open)).await, [BEN]);
        assert_eq!(phones(&bench, both(ConversationStatus::Archived)).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keywords_are_answered_by_themselves_and_open_nothing() {
    for bench in benches().await {
        assert!(bench.says("SM1", ANN, "STOP").await.is_some());
        assert_eq!(phones(&bench, open()).await, [""; 0]);
        let archived =
            ConversationFilter { status: Some(ConversationStatus::Archived), ..ConversationFilter::default() };
        assert_eq!(phones(&bench, archived).await, [ANN]);
        let detail = with(&bench, ANN).await;
        assert_eq!(detail.conversation.unread, 0);
        let kinds: Vec<_> = detail
            .items
            .iter()
            .map(|said| matches!(said, Said::Out(sent) if sent.kind == Kind::Confirmation))
            .collect();
        assert_eq!(kinds.len(), 2);
        assert!(kinds.contains(&true), "the confirmation is shown");
        // Words that nobody has answered do.
        bench.says("SM2", ANN, "Was that right?").await;
        assert_eq!(phones(&bench, open()).await, [ANN]);
        assert_eq!(with(&bench, ANN).await.conversation.unread, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_out_from_where_the_person_wrote_and_marks_as_read() {
    for bench in benches().await {
        let mia = account(&bench, "mia@example.org", Role::Marketer).await;
        bench.says("SM1", ANN, "Hello?").await;
        let detail = with(&bench, ANN).await;
        let sender = detail.senders.first().unwrap();
        assert_eq!((sender.address.as_str(), sender.free_text), (US, true));
        assert_eq!(sender.window_until, Some(START.plus(Timestamp::DAY)));

        bench.clock.advance(5 * Timestamp::SECOND);
        let reply = NewMessage { sender_id: Some(sender.id), ..text(ANN, "Good morning") };
        let sent = bench.engine.messages().create(&mia, reply).await.unwrap();
        assert_eq!((sent.kind, sent.state), (Kind::Single, State::Queued));
        let after = with(&bench, ANN).await;
        let conversation = &after.conversation;
        assert_eq!((conversation.unread, conversation.last_direction), (0, Some(Direction::Out)));
        assert_eq!(conversation.last_text.as_deref(), Some("Good morning"));
        assert!(
            matches!(&after.items[..], [Said::Out(sent), Said::In(_)] if sent.body.as_deref() == Some("Good morning"))
        );

        // A day later the window is over, and the service says so beforehand.
        bench.clock.advance(Timestamp::DAY);
        let later = with(&bench, ANN).await;
        assert!(later.senders.iter().all(|sender| !sender.free_text));

        let wrong = NewMessage { sender_id: Some(domain::ids::SenderId(uuid::Uuid::nil())), ..text(ANN, "x") };
        let refused = bench.engine.messages().create(&mia, wrong).await;
        assert!(matches!(refused, Err(Error::Invalid(fields)) if fields[0].field == "sender_id"));
        let by_sms = NewMessage { sender_id: Some(sender.id), channel: Some(Channel::Sms), ..text(ANN, "x") };
        let refused = bench.engine.messages().create(&mia, by_sms).await;
        assert!(matches!(refused, Err(Error::Invalid(fields)) if fields[0].field == "sender_id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_programs_message_leaves_the_inbox_as_it_is() {
    for bench in benches().await {
        let program = Actor::new(ActorKind::ApiKey, "shop", Role::Marketer);
        bench.engine.messages().create(&program, text(BEN, "Your code is 123")).await.unwrap();
        assert_eq!(phones(&bench, open()).await, [""; 0]);
        bench.says("SM1", ANN, "Hello?").await;
        bench.engine.messages().create(&program, text(ANN, "Your code is 456")).await.unwrap();
        assert_eq!(phones(&bench, unread()).await, [ANN], "nobody has read it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_assigned_and_archived_and_come_back() {
    for bench in benches().await {
        let mia = account(&bench, "mia@example.org", Role::Marketer).await;
        let viewer = account(&bench, "vic@example.org", Role::Viewer).await;
        bench.says("SM1", ANN, "Hello?").await;
        bench.says("SM2", BEN, "Hello?").await;
        let conversations = bench.engine.conversations();
        let to =
            |email: &str| ConversationPatch { assignee: Some(Some(email.to_owned())), ..ConversationPatch::default() };
        let given = conversations.update(&mia, &phone(ANN), to("Mia@Example.org")).await.unwrap();
        assert_eq!(given.assignee.as_ref().map(|one| one.email.as_str()), Some("mia@example.org"));
        let whose =
            |email: &str| ConversationFilter { assignee: Some(email.to_owned()), ..ConversationFilter::default() };
        assert_eq!(phones(&bench, whose("mia@example.org")).await, [ANN]);
        assert_eq!(phones(&bench, whose("none")).await, [BEN]);
        for nobody in ["vic@example.org", "eve@example.org"] {
            let refused = conversations.update(&mia, &phone(ANN), to(nobody)).await;
            assert!(matches!(refused, Err(Error::Invalid(fields)) if fields[0].field == "assignee"), "{nobody}");
        }
        assert!(matches!(
            conversations.update(&viewer, &phone(ANN), to("mia@example.org")).await,
            Err(Error::Forbidden)
        ));
        let emails: Vec<_> = conversations.assignees(&mia).await.unwrap().into_iter().map(|one| one.email).collect();
        assert_eq!(emails, ["mia@example.org"]);

        let archive =
            ConversationPatch { archived: Some(true), version: Some(given.version), ..ConversationPatch::default() };
        let done = conversations.update(&mia, &phone(ANN), archive.clone()).await.unwrap();
        assert!(done.archived && done.unread == 0 && done.version == given.version + 1);
        let late = ConversationPatch { archived: Some(false), ..archive };
        assert!(matches!(conversations.update(&mia, &phone(ANN), late).await, Err(Error::Stale(_))));
        assert_eq!(phones(&bench, open()).await, [BEN]);
        bench.says("SM3", ANN, "One more thing").await;
        let back = with(&bench, ANN).await.conversation;
        assert!(!back.archived && back.unread == 1 && back.assignee.is_some());
        let audited = "SELECT COUNT(*) FROM audit_log WHERE entity = 'conversation'";
        assert_eq!(bench.number(audited).await, 2, "assigned and archived");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_searched_and_read_page_by_page() {
    for bench in benches().await {
        for (number, name) in [(ANN, "Ann Lee"), (BEN, "Ben Okafor")] {
            let attributes = serde_json::Map::from_iter([("name".to_owned(), name.into())]);
            let new = NewContact {
                phone: number.to_owned(),
                attributes,
                consent: None,
                timezone: None,
                locale: None,
                topics: Vec::new(),
            };
            bench.engine.contacts().create(&bench.admin, new).await.unwrap();
        }
        for index in 0..3 {
            bench.says(&format!("SMA{index}"), ANN, &format!("ann {index}")).await;
            bench.clock.advance(Timestamp::SECOND);
            bench.says(&format!("SMB{index}"), BEN, &format!("ben {index}")).await;
            bench.clock.advance(Timestamp::SECOND);
        }
        let search = |q: &str| ConversationFilter { q: Some(q.to_owned()), ..ConversationFilter::default() };
        assert_eq!(phones(&bench, search("okaf")).await, [BEN]);
        assert_eq!(phones(&bench, search("+1415")).await, [BEN, ANN]);
        assert_eq!(phones(&bench, search("nobody")).await, [""; 0]);
        let one = PageRequest::first(1);
        let first = bench.engine.conversations().list(&bench.admin, &open(), &one).await.unwrap();
        let next = PageRequest { cursor: first.next_cursor, ..one };
        let second = bench.engine.conversations().list(&bench.admin, &open(), &next).await.unwrap();
        assert_eq!((first.items[0].phone.as_str(), second.items[0].phone.as_str()), (BEN, ANN));
        assert_eq!(second.next_cursor, None);

        // Both directions, in order and without a gap, whatever the page's size.
        for index in 0..3 {
            bench.engine.messages().create(&bench.admin, text(ANN, &format!("us {index}"))).await.unwrap();
            bench.clock.advance(Timestamp::SECOND);
        }
        bench.says("SMA3", ANN, "ann 3").await;
        let mut words = Vec::new();
        let mut page = PageRequest::first(2);
        loop {
            let part = bench.engine.conversations().get(&bench.admin, &phone(ANN), &page).await.unwrap();
            words.extend(part.items.into_iter().map(|said| match said {
                Said::In(heard) => heard.body.unwrap(),
                Said::Out(sent) => sent.body.unwrap(),
            }));
            match part.next_cursor {
                Some(cursor) => page.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(words, ["ann 3", "us 2", "us 1", "us 0", "ann 2", "ann 1", "ann 0"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_named_and_erasing_leaves_no_conversation() {
    for bench in benches().await {
        let (from, to) = (format!("whatsapp:{ANN}"), format!("whatsapp:{US}"));
        let form = [
            ("MessageSid", "SM1"),
            ("From", from.as_str()),
            ("To", to.as_str()),
            ("Body", ""),
            ("NumMedia", "1"),
            ("MediaUrl0", "https://api.twilio.com/media/1"),
            ("MediaContentType0", "image/png"),
        ];
        bench.engine.ingest_inbound(signed("/webhooks/twilio/inbound", &form)).await.unwrap();
        let detail = with(&bench, ANN).await;
        let Said::In(heard) = &detail.items[0] else { panic!("the person wrote") };
        assert_eq!(heard.media_count, 1);
        assert_eq!(heard.media[0].content_type, "image/png");
        assert_eq!(detail.conversation.last_text, None, "a picture alone has no words");
        bench.engine.contacts().erase(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(bench.number("SELECT COUNT(*) FROM conversations").await, 0);
        let gone = bench.engine.conversations().get(&bench.admin, &phone(ANN), &PageRequest::default()).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })));
    }
}
