//! Wakes those who wait for work. A hint only: whoever waits also looks by itself now and then.

use std::time::Duration;

use tokio::sync::Notify;

/// Rings inside this process.
#[derive(Debug, Default)]
pub struct Bell {
    planner: Notify,
    senders: Notify,
    imports: Notify,
}

/// Who is meant.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    Planner,
    Senders,
    Imports,
}

impl Bell {
    fn of(&self, who: Who) -> &Notify {
        match who {
            Who::Planner => &self.planner,
            Who::Senders => &self.senders,
            Who::Imports => &self.imports,
        }
    }

    /// There is work. A ring while nobody waits is kept for the next one who does.
    pub fn ring(&self, who: Who) {
        self.of(who).notify_one();
    }

    /// Waits for a ring, at most this long.
    pub async fn wait(&self, who: Who, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.of(who).notified()).await;
    }
}
