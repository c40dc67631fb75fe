//! The simulator's phone: who was written to, what was said, and answers that come in as from a person.

mod support;

use std::sync::Arc;

use domain::{message::Channel, settings::SettingsPatch};
use engine::{Actor, Engine, Error, clock::ManualClock, secrets::KeyRing};
use simulator::{Settings, Simulator};
use support::{START, US, config};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const ANN: &str = "+15551234567";

/// A web server that answers every request with an empty TwiML document. Returns its address.
async fn webhook() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/inbound", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 65_536];
                let _ = socket.read(&mut request).await;
                let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\nConnection: close\r\n\r\n\
                              <Response/>";
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_and_answers() {
    let settings = Settings { inbound_url: Some(webhook().await), ..Settings::default() };
    let simulator = Simulator::start("127.0.0.1:0", settings).await.unwrap();
    let base = simulator.base_url();
    for test in testkit::databases().await {
        simulator.control().reset();
        let mut config = config(&test, KeyRing::parse(&KeyRing::generate()).unwrap());
        config.provider.simulator = Some(base.to_string());
        let engine = Engine::open(test.db.clone(), config, Arc::new(ManualClock::new(START))).await.unwrap();
        let admin = Actor::command_line();
        let phone = ANN.parse().unwrap();
        assert!(engine.simulator().phones(&admin).await.unwrap().is_empty());

        let url = format!("{base}/2010-04-01/Accounts/{}/Messages.json", simulator::ACCOUNT_SID);
        let from = format!("whatsapp:{US}");
        let to = format!("whatsapp:{ANN}");
        let client = reqwest::Client::builder().build().unwrap();
        let form = [("To", to.as_str()), ("From", from.as_str()), ("Body", "Hello Ann")];
        let sent = client.post(url).basic_auth(simulator::ACCOUNT_SID, Some(simulator::AUTH_TOKEN)).form(&form);
        assert_eq!(sent.send().await.unwrap().status().as_u16(), 201);

        let phones = engine.simulator().phones(&admin).await.unwrap();
        assert_eq!((phones.len(), phones[0].phone.as_str(), phones[0].last_text.as_str()), (1, ANN, "Hello Ann"));
        let talk = engine.simulator().answer(&admin, &phone, "Thank you").await.unwrap();
        assert_eq!(talk.channel, Channel::Whatsapp);
        let said: Vec<_> = talk.bubbles.iter().map(|bubble| (bubble.from_person, bubble.text.as_str())).collect();
        assert_eq!(said, [(false, "Hello Ann"), (true, "Thank you")]);
        let empty = engine.simulator().answer(&admin, &phone, " ").await;
        assert!(matches!(empty, Err(Error::Invalid(_))));

        let patch = SettingsPatch { enforce_whatsapp_window: Some(true), ..SettingsPatch::default() };
        engine.settings().update(&admin, patch).await.unwrap();
        assert!(simulator.control().settings().enforce_whatsapp_window, "the simulator follows the setting");
        let patch = SettingsPatch { enforce_whatsapp_window: Some(false), ..SettingsPatch::default() };
        engine.settings().update(&admin, patch).await.unwrap();
    }
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulator_in_a_process_of_its_own_has_phones_too() {
    let settings = Settings { inbound_url: Some(webhook().await), ..Settings::default() };
    let simulator = Simulator::start("127.0.0.1:0", settings).await.unwrap();
    let test = testkit::databases().await.remove(0);
    let mut config = config(&test, KeyRing::parse(&KeyRing::generate()).unwrap());
    config.provider.api_base = simulator.base_url();
    let engine = Engine::open(test.db.clone(), config, Arc::new(ManualClock::new(START))).await.unwrap();
    assert!(!engine.config().is_simulated(), "it has an account");
    assert!(engine.simulator().is_there().await);
    let admin = Actor::command_line();
    assert!(engine.simulator().phones(&admin).await.unwrap().is_empty());
    let talk = engine.simulator().answer(&admin, &ANN.parse().unwrap(), "Hello").await.unwrap();
    assert!(talk.bubbles[0].from_person);
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_account_has_no_simulator() {
    let test = testkit::databases().await.remove(0);
    let bench = support::bench(test).await;
    assert!(!bench.engine.simulator().is_there().await, "nothing answers there");
    let phones = bench.engine.simulator().phones(&bench.admin).await;
    assert!(matches!(phones, Err(Error::NotFound { what: "simulator" })));
}
