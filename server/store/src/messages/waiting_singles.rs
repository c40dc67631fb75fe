//! Single sends, replies and tests that wait for their turn, found along the index `messages_singles`: nobody goes through
//! what waits for another sender, nor through what is not due yet.

use crate::Kind;

/// A part of the query for each of these is a step into the index. Nearly all have the priorities of today's kinds
/// ([`domain::message::Kind::priority`]); the last part has whatever else there is.
const PRIORITIES: [&str; 4] = ["= 0", "= 1", "= 2", "> 2"];

const THEIRS: &str = "run_id IS NULL AND sender_id = $1 AND open = 0";

fn by_priority(part: impl Fn(&str) -> String) -> String {
    PRIORITIES.map(|priority| format!("SELECT * FROM ({}) AS p", part(priority))).join(" UNION ALL ")
}

/// What a claim takes: of the messages of a sender (`$1`) that are due (`$2`) the first `$3`, by priority and time.
#[must_use]
pub fn due_singles(kind: Kind) -> String {
    let locked = kind.skip_locked();
    let due = by_priority(|priority| {
        format!(
            "SELECT id, priority, not_before FROM messages WHERE {THEIRS} AND priority {priority} AND not_before <= $2 \
             ORDER BY priority, not_before, id LIMIT $3{locked}"
        )
    });
    // What is sorted, and on PostgreSQL locked for a moment, is a few times what is taken, however much waits.
    format!("SELECT id FROM ({due}) AS q ORDER BY priority, not_before, id LIMIT $3")
}

/// When the next message of a sender (`$1`) is due.
#[must_use]
pub fn next_single() -> String {
    // In the index's order: else SQLite may go through all that wait for what has no priority of today's.
    let next = by_priority(|priority| {
        format!(
            "SELECT not_before FROM messages WHERE {THEIRS} AND priority {priority} \
             ORDER BY priority, not_before, id LIMIT 1"
        )
    });
    format!("SELECT min(q.not_before) AS not_before FROM ({next}) AS q")
}

/// The senders for which messages wait: one step into the index for each sender. As a join, or in another order, PostgreSQL
/// might go through all that wait.
pub const SINGLE_LANES: &str = "SELECT s.id AS sender_id FROM senders s WHERE (SELECT m.id FROM messages m \
                                WHERE m.run_id IS NULL AND m.sender_id = s.id AND m.open = 0 \
                                ORDER BY m.priority, m.not_before, m.id LIMIT 1) IS NOT NULL";
