//! What becomes of a connection whose server is of no use any more, through a proxy that keeps it open.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{ids::SenderId, time::Timestamp};
use testkit::program::{self, Redis};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use uuid::Uuid;

use super::{Key, Limit, Shared};

const START: Timestamp = Timestamp::from_seconds(1_795_392_000);
/// Two seconds until the connection is given up and five of trust, and what a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// As a load balancer: who is connected stays where they came to.
struct Proxy {
    url: String,
    /// Where the next one comes to.
    target: Arc<Mutex<String>>,
    connections: Arc<AtomicUsize>,
    /// Over so many connections, the first ones, nothing goes any more; they stay open.
    silent: watch::Sender<usize>,
}

impl Proxy {
    async fn before(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = Self {
            url: format!("redis://{}", listener.local_addr().expect("bound")),
            target: Arc::new(Mutex::new(address(redis))),
            connections: Arc::default(),
            silent: watch::Sender::new(0),
        };
        let (target, connections, silent) = (proxy.target.clone(), proxy.connections.clone(), proxy.silent.subscribe());
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let target = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(forward(from, target, number, silent.clone()));
            }
        });
        proxy
    }

    fn turn_to(&self, redis: &Redis) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = address(redis);
    }

    /// As when a machine is gone without a word.
    fn silence(&self) {
        self.silent.send_replace(self.connections.load(Ordering::SeqCst));
    }

    fn shared(&self) -> Shared {
        Shared::new(&self.url, "AC1").expect("a good URL")
    }
}

async fn forward(mut from: TcpStream, target: String, number: usize, silent: watch::Receiver<usize>) {
    let Ok(mut to) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut from, &mut to) => {}
        () = falls_silent(number, silent) => std::future::pending().await,
    }
}

async fn falls_silent(number: usize, mut silent: watch::Receiver<usize>) {
    let _ = silent.wait_for(|silent| number < *silent).await;
}

fn address(redis: &Redis) -> String {
    redis.url().trim_start_matches("redis://").to_owned()
}

/// `None` in a plain `cargo test` without services.
async fn redis() -> Option<Redis> {
    if program::backends().len() == 1 {
        return None;
    }
    Some(Redis::start().await.expect("redis-server"))
}

/// Of a server that nobody reaches: it takes no writes, and answers all else.
async fn make_replica(server: &Redis) {
    let client = redis::Client::open(server.url()).expect("a good URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
    let follow = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).to_owned();
    follow.query_async::<()>(&mut connection).await.expect("it follows");
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

const SENDER: Key = Key::Sender(SenderId(Uuid::from_u128(7)));
const LIMITS: [Limit; 1] = [Limit { key: SENDER, per_second: 100 }];

/// Whoever sends has the rates of all again.
async fn until_trusted(shared: &Shared, began: Instant) {
    until("Redis is trusted", async || {
        let now = START.plus(i64::try_from(began.elapsed().as_micros()).expect("short"));
        shared.grant(now, &LIMITS, 1).await;
        shared.is_answered() && shared.check().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_left_for_the_one_that_took_over() {
    let (Some(former), Some(other)) = (redis().await, redis().await) else { return };
    let proxy = Proxy::before(&former).await;
    let (began, sends, web) = (Instant::now(), proxy.shared(), proxy.shared());
    until_trusted(&sends, began).await;
    until("it is ready", async || web.check().await.is_ok()).await;
    make_replica(&former).await;
    assert!(sends.check().await.is_err() && web.check().await.is_err(), "a replica takes no writes");
    proxy.turn_to(&other);
    until_trusted(&sends, began).await;
    // One that asks for no grants finds it by what asks whether it is ready.
    until("it is ready again", async || web.check().await.is_ok()).await;
}

#[tokio::test]
async fn a_server_that_is_gone_without_a_word_is_not_waited_for() {
    let Some(server) = redis().await else { return };
    let proxy = Proxy::before(&server).await;
    let (began, shared) = (Instant::now(), proxy.shared());
    until_trusted(&shared, began).await;
    proxy.silence();
    assert!(shared.check().await.is_err(), "nothing answers");
    until_trusted(&shared, began).await;
}

#[tokio::test]
async fn a_complaint_that_redis_did_not_hear_is_told_when_it_answers_again() {
    let Some(server) = redis().await else { return };
    let proxy = Proxy::before(&server).await;
    let worker = Shared::new(&server.url(), "AC1").expect("a good URL");
    until_trusted(&worker, Instant::now()).await;
    let web = proxy.shared();
    // Redis knows all there is to know.
    web.slow_down(START, Key::Account, None).await;
    web.remind(START).await;
    proxy.silence();
    web.slow_down(START, SENDER, Some(Duration::from_secs(300))).await;
    until("the sender rests", async || {
        web.remind(START).await;
        worker.grant(START, &LIMITS, 1).await.retry_after > Duration::from_secs(200)
    })
    .await;
}
