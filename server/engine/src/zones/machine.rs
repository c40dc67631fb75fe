//! That the machine's own zone decides nothing: everything about clocks once more, as if this were in Samoa.

use std::process::Command;

/// What is told apart by the clock of a person, a workspace or a schedule.
const ABOUT_CLOCKS: [&str; 6] =
    ["quiet::", "zones::", "decide::", "planner::local", "scheduler::times", "services::campaigns::calendar"];

/// It must not start itself.
const THIS: &str = "nothing_depends_on_the_machine_s_zone";

#[test]
fn nothing_depends_on_the_machine_s_zone() {
    let program = std::env::current_exe().expect("these tests");
    let mut again = Command::new(program);
    // On the other side of the date line. The long way through random cases is not needed twice.
    again.args(ABOUT_CLOCKS).args(["--skip", THIS]).env("TZ", "Pacific/Apia").env("PROPTEST_CASES", "32");
    let done = again.output().expect("the tests run");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "with TZ=Pacific/Apia:\n{said}");
    let passed = said.lines().filter(|line| line.ends_with(" ... ok")).count();
    assert!(passed > 40, "{passed} tests:\n{said}");
}
