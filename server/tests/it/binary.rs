//! The program as a process: what it refuses, what it prints, how it ends.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");

/// The program in an empty folder, without the tester's environment.
fn program(dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(dir).env_clear().env("BIND_ADDR", "127.0.0.1:0").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Its last line on standard error, after it has refused to start.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_bad_environment_is_refused_in_one_line_that_names_it() {
    for (variable, value) in [
        ("BIND_ADDR", "nowhere"),
        ("PUBLIC_URL", "ftp://example.org"),
        ("LEASE_SECONDS", "1"),
        ("WORKER_CONCURRENCY", "many"),
        ("DB_MAX_CONNECTIONS", "0"),
        ("TRUSTED_PROXIES", "everybody"),
        ("LOG_FORMAT", "xml"),
        ("TWILIO_ACCOUNT_SID", "AC1"),
    ] {
        let dir = dir();
        let output = program(dir.path()).arg("serve").env(variable, value).output().expect("it runs");
        let line = refusal(&output);
        assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
        for part in ["error: ", variable, value, "expected"] {
            assert!(line.contains(part), "{variable}: {line}");
        }
        assert!(!dir.path().join("data").exists(), "{variable}: nothing is written for a start that is refused");
    }
}

#[test]
fn secrets_stay_secret_when_they_are_wrong() {
    let dir = dir();
    for (variable, value) in
        [("ENCRYPTION_KEY", "hush-hush"), ("DATABASE_URL", "mysql://u:hush@h/d"), ("REDIS_URL", "http://:hush@h")]
    {
        let output = program(dir.path()).arg("serve").env(variable, value).output().expect("it runs");
        let line = refusal(&output);
        assert!(line.contains(variable) && !line.contains("hush"), "{line}");
    }
}

#[test]
fn a_part_of_the_program_needs_something_to_share() {
    let dir = dir();
    let part = |database: &str| {
        let mut command = program(dir.path());
        command.args(["serve", "--role", "web"]).env("DATABASE_URL", database);
        command.env("ENCRYPTION_KEY", engine::secrets::KeyRing::generate());
        refusal(&command.output().expect("it runs"))
    };
    assert!(part("sqlite://data/engine.db").contains("postgres://"));
    assert!(part("postgres://u:p@127.0.0.1:1/d").contains("TWILIO_ACCOUNT_SID"));
    let output = program(dir.path()).arg("frobnicate").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_database_that_cannot_be_used_is_refused_in_one_line() {
    let dir = dir();
    let key = engine::secrets::KeyRing::generate();
    let nobody = "postgres://u:hush@127.0.0.1:1/d";
    let output = program(dir.path())
        .arg("serve")
        .env("DATABASE_URL", nobody)
        .env("ENCRYPTION_KEY", key)
        .output()
        .expect("it runs");
    let line = refusal(&output);
    assert!(line.contains("127.0.0.1:1") && line.contains("cannot be reached") && !line.contains("hush"), "{line}");

    std::fs::write(dir.path().join("other.db"), [7; 4_096]).expect("written");
    let output = program(dir.path()).arg("serve").env("DATABASE_URL", "sqlite://other.db").output().expect("it runs");
    assert!(refusal(&output).contains("not a database"), "{output:?}");
}

#[test]
fn the_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = program(dir().path()).arg("serve").env("BIND_ADDR", &address).output().expect("it runs");
    assert!(refusal(&output).contains(&address), "{output:?}");
}

#[cfg(unix)]
#[test]
fn what_it_makes_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = dir();
    let mode = |path: &str| std::fs::metadata(dir.path().join(path)).expect("there").permissions().mode() & 0o777;
    let migrated = || assert!(program(dir.path()).arg("migrate").output().expect("it runs").status.success());
    migrated();
    assert_eq!([mode("data"), mode("data/engine.db"), mode("data/encryption.key")], [0o700, 0o600, 0o600]);
    // What somebody shares on purpose stays shared.
    for (path, mode) in [("data", 0o750), ("data/engine.db", 0o640)] {
        std::fs::set_permissions(dir.path().join(path), std::fs::Permissions::from_mode(mode)).expect("shared");
    }
    migrated();
    assert_eq!([mode("data"), mode("data/engine.db")], [0o750, 0o640]);
}

#[test]
fn an_embedded_database_is_served_by_one_process() {
    let dir = dir();
    let mut first = program(dir.path());
    let mut first = first.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut said = BufReader::new(first.stdout.take().expect("a pipe")).lines();
    assert!(said.any(|line| line.expect("text").contains("Event Stream Engine")), "it serves");
    let second = program(dir.path()).arg("serve").output().expect("it runs");
    assert!(refusal(&second).contains("another process serves this database"), "{second:?}");
    // However it ends, the database is free.
    first.kill().and_then(|()| first.wait()).expect("killed");
    let mut third = program(dir.path());
    let mut third = third.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut said = BufReader::new(third.stdout.take().expect("a pipe")).lines();
    assert!(said.any(|line| line.expect("text").contains("Event Stream Engine")), "it serves again");
    third.kill().and_then(|()| third.wait()).expect("killed");
}

#[test]
fn another_key_is_refused() {
    let dir = dir();
    let make = |key: &str| {
        let mut command = program(dir.path());
        command.args(["api-key", "create", "--name", "n", "--role", "viewer"]).env("ENCRYPTION_KEY", key);
        command.output().expect("it runs")
    };
    assert!(make(&engine::secrets::KeyRing::generate()).status.success());
    assert!(refusal(&make(&engine::secrets::KeyRing::generate())).contains("ENCRYPTION_KEY"));
}

#[test]
fn commands_print_what_they_made_and_nothing_else() {
    let dir = dir();
    let key =
        program(dir.path()).args(["api-key", "create", "--name", "n", "--role", "viewer"]).output().expect("it runs");
    let printed = text(&key.stdout);
    assert!(printed.starts_with("ese_") && printed.lines().count() == 1, "{printed}");

    let mut admin = program(dir.path());
    admin.args(["admin", "create", "--email", "a@example.org", "--role", "marketer"]);
    let made = admin.output().expect("it runs");
    assert!(text(&made.stdout).contains("one-time password: "), "{made:?}");
    assert!(refusal(&admin.output().expect("it runs")).contains("error: "), "the address is taken");

    let mut given = program(dir.path());
    given.args(["admin", "create", "--email", "b@example.org", "--password-stdin"]);
    let mut given = given.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    given.stdin.take().expect("a pipe").write_all(b"a rather long password\n").expect("written");
    let given = given.wait_with_output().expect("it ends");
    assert!(given.status.success() && !text(&given.stdout).contains("password"), "{given:?}");

    let status = program(dir.path()).args(["migrate", "status"]).output().expect("it runs");
    assert!(text(&status.stdout).lines().all(|line| line.starts_with("applied")), "{status:?}");
}

#[test]
fn sending_is_held_and_released_and_the_audit_log_says_so() {
    let dir = dir();
    let sending = |arguments: &[&str]| {
        let mut command = program(dir.path());
        command.arg("sending").args(arguments);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    // Before any server was there, too.
    assert_eq!(sending(&["hold", "--reason", "restored on Friday"]), "Sending is held: restored on Friday\n");
    assert_eq!(sending(&["hold"]), "Sending is held: Held from the command line.\n");
    assert_eq!(sending(&["release"]), "Sending is on\n");
    assert_eq!(sending(&["release"]), "Sending is on\n", "once more changes nothing");
    let empty = program(dir.path()).args(["sending", "hold", "--reason", " "]).output().expect("it runs");
    assert!(refusal(&empty).contains("sending.reason"), "{empty:?}");
    let verified = program(dir.path()).args(["audit", "verify"]).output().expect("it runs");
    assert!(text(&verified.stdout).contains("audit: 3 lines hold"), "{verified:?}");
    let help = program(dir.path()).arg("--help").output().expect("it runs");
    assert!(text(&help.stdout).contains("Hold all sending, or release it"), "{help:?}");
}

/// What nothing refuses to somebody with the database in their hands: a line of their own.
#[tokio::test]
async fn a_line_that_was_put_in_beside_the_chain_ends_verify_with_1() {
    let dir = dir();
    let hold = program(dir.path()).args(["sending", "hold"]).output().expect("it runs");
    assert!(hold.status.success(), "{hold:?}");
    let verify = || program(dir.path()).args(["audit", "verify"]).output().expect("it runs");
    assert_eq!(verify().status.code(), Some(0));
    let url = format!("sqlite://{}", dir.path().join("data/engine.db").display());
    let db = store::Db::connect(&url, 2).await.expect("the database");
    let line = "INSERT INTO consent_ledger (stream, seq, at, contact_id, consent, source, actor_kind, actor_id, prev_hash, \
                hash) VALUES ('x', 1, 1, 1, 'opted_in', 'api', 'worker', 'w', $1, $1)";
    store::exec(db.writer(), line, vec![vec![1_u8].into()]).await.expect("nothing refuses it");
    drop(db);
    let found = verify();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(text(&found.stdout).contains("consent: 0 lines hold"), "{found:?}");
    assert!(text(&found.stderr).contains("consent: line 1 was put in beside the chain"), "{found:?}");
}

#[test]
fn files_are_imported_with_a_report() {
    let dir = dir();
    std::fs::write(dir.path().join("people.csv"), "phone,consent\n+14155550142,yes\nnobody,yes\n").expect("written");
    let output = program(dir.path()).args(["import", "people.csv"]).output().expect("it runs");
    let report = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for line in ["people.csv: done", "1  created", "1  rejected", "1  rejected: invalid_phone"] {
        assert!(report.contains(line), "{report}");
    }
    assert!(
        refusal(&program(dir.path()).args(["import", "nowhere.csv"]).output().expect("it runs"))
            .contains("nowhere.csv")
    );
}

#[test]
fn events_are_taken_from_a_file_and_from_the_standard_input() {
    let dir = dir();
    let line = |id: &str| format!("{{\"id\":\"{id}\",\"name\":\"price_drop\",\"phone\":\"+14155550142\"}}\n");
    std::fs::write(dir.path().join("events.jsonl"), [line("1"), line("2"), line("1")].concat()).expect("written");
    let ingest = |file: &str| {
        let mut command = program(dir.path());
        command.args(["events", "ingest", file]);
        command
    };
    let output = ingest("events.jsonl").output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report, serde_json::json!({"accepted": 2, "duplicates": 1, "rejected": []}));
    let mut piped =
        ingest("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let input = [line("2"), "nonsense\n".to_owned(), line("3")].concat();
    piped.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = piped.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!((&report["accepted"], &report["rejected"][0]["line"]), (&1.into(), &2.into()), "{report}");
    assert!(text(&output.stderr).contains("1 lines of - were rejected"), "{output:?}");
    assert!(refusal(&ingest("nowhere.jsonl").output().expect("it runs")).contains("nowhere.jsonl"));
}

#[test]
fn demo_data_fills_an_empty_database_only() {
    let dir = dir();
    let first = program(dir.path()).arg("demo").output().expect("it runs");
    assert!(first.status.success() && text(&first.stdout).contains("200 contacts"), "{first:?}");
    let second = program(dir.path()).arg("demo").output().expect("it runs");
    assert!(refusal(&second).contains("not empty"));
}

#[test]
fn the_first_start_prints_the_way_in_once_and_a_signal_stops_it() {
    let dir = dir();
    let (first, printed) = serve_once(dir.path());
    assert!(first && printed.contains("http://127.0.0.1:"), "{printed}");
    assert!(printed.contains("One-time password:"), "{printed}");
    let (second, printed) = serve_once(dir.path());
    assert!(second && !printed.contains("password:"), "{printed}");
}

/// Starts the server, waits until it says that it serves, ends it with SIGTERM; whether it ended well, and its output.
fn serve_once(dir: &Path) -> (bool, String) {
    let mut child = program(dir).arg("serve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut lines = log.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("\"serving\"")), "it never served");
    terminate(&mut child);
    let ended_well = lines.last().is_some_and(|line| line.contains("\"stopped\""));
    let output = child.wait_with_output().expect("it ends");
    (ended_well && output.status.success(), text(&output.stdout))
}

fn terminate(child: &mut Child) {
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
}
