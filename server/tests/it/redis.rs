//! The rates in a Redis that lets in only who has a name and a password, over TLS, in a database of its own.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use testkit::{
    api::{Api, text},
    program::{self, Process, Site},
};

const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");

/// Ends with the test.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis with a certificate for this machine that nobody else knows.
fn redis(dir: &Path, port: &str) -> Redis {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let write = |name: &str, text: String| std::fs::write(dir.join(name), text).expect("written");
    write("redis.crt", own.cert.pem());
    write("redis.key", own.signing_key.serialize_pem());
    let dir_name = dir.display();
    write(
        "redis.conf",
        format!(
            "bind 127.0.0.1\nport 0\ntls-port {port}\ntls-auth-clients no\ntls-cert-file {dir_name}/redis.crt\n\
             tls-key-file {dir_name}/redis.key\nunixsocket {dir_name}/redis.sock\ndir {dir_name}\nsave \"\"\n\
             user default off\nuser ese on >hush-hush ~* &* +@all\n"
        ),
    );
    let mut command = Command::new("redis-server");
    command.arg(dir.join("redis.conf")).stdin(Stdio::null()).stdout(Stdio::null());
    Redis(command.spawn().expect("Redis starts"))
}

/// What it has in one of its databases, by name.
fn names(dir: &Path, database: &str) -> String {
    let mut command = Command::new("redis-cli");
    command.arg("-s").arg(dir.join("redis.sock"));
    command.args(["--user", "ese", "--pass", "hush-hush", "--no-auth-warning", "-n", database, "--scan"]);
    let output = command.output().expect("redis-cli runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The program with this Redis, once it has sent a message.
async fn sends_one(simulator: &Process, dir: &Path, redis_url: String) -> (Site, Process) {
    let [sqlite, ..] = &program::backends()[..] else { panic!("SQLite is always there") };
    let mut site = Site::new(BINARY, sqlite).await.expect("a folder");
    site.set("REDIS_URL", redis_url);
    site.set("SSL_CERT_FILE", dir.join("redis.crt").display());
    let key = site.api_key(&simulator.url).expect("a key");
    let process = site.serve(&simulator.url).await.expect("it serves");
    let api = Api::new(&process.url, key).expect("a client");
    api.lift_limits().await.expect("no limits");
    let body = json!({"phone": "+14155550123", "body": "Hi", "channel": "whatsapp"});
    let message = api.post("/messages", &body).await.expect("taken");
    let path = format!("/messages/{}", text(&message, "id").expect("an id"));
    let sent = async {
        while !is_sent(&api.get(&path).await.expect("a message")) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), sent).await.expect("it goes out");
    (site, process)
}

fn is_sent(message: &Value) -> bool {
    !matches!(message["state"].as_str(), Some("queued" | "sending"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_are_kept_behind_a_password_and_tls_in_the_database_that_was_named() {
    if program::backends().len() == 1 {
        return; // A plain `cargo test` without services.
    }
    let dir = tempfile::tempdir().expect("a folder");
    let address = program::free_address().expect("a port");
    let port = address.rsplit(':').next().unwrap_or_default();
    let _redis = redis(dir.path(), port);
    let simulator = program::simulator(BINARY).await.expect("a simulator");

    let url = format!("rediss://ese:hush-hush@{address}/3");
    let (site, process) = sends_one(&simulator, dir.path(), url).await;
    assert!(!site.log().contains("Redis does not answer"), "{}", site.log());
    assert!(names(dir.path(), "3").contains("ese"), "{}", names(dir.path(), "3"));
    assert_eq!(names(dir.path(), "0"), "");
    process.stop().await.expect("it stops");
}
