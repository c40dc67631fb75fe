//! The processes of a round and what they share.

use std::time::Duration;

use anyhow::Result;
use testkit::program::{Process, Redis, Site};

use crate::{round::Outcome, scenario::Blow};

/// One process that does everything, or several with a part each.
pub struct Cluster {
    pub site: Site,
    /// Where the simulator is.
    twilio: String,
    /// The first one is called.
    processes: Vec<Part>,
    redis: Option<Redis>,
}

struct Part {
    role: &'static str,
    address: String,
    process: Process,
}

impl Cluster {
    pub async fn start(mut site: Site, twilio: &str, several: bool) -> Result<Self> {
        let redis = if several { Some(Redis::start().await?) } else { None };
        if let Some(redis) = &redis {
            site.set("REDIS_URL", redis.url());
        }
        let roles: &[_] = if several { &["web", "worker", "worker"] } else { &["all"] };
        let mut processes = Vec::new();
        for (number, role) in roles.iter().enumerate() {
            let address = if number == 0 { site.address().to_owned() } else { testkit::program::free_address()? };
            let process = site.serve_as(twilio, role, &address).await?;
            processes.push(Part { role, address, process });
        }
        Ok(Self { site, twilio: twilio.to_owned(), processes, redis })
    }

    /// Where the one that is called listens.
    pub fn url(&self) -> String {
        self.processes[0].process.url.clone()
    }

    /// Deals the blow, to the process `which` where it is one's, and waits until all is there again. What there is not
    /// to hit, a process is killed for.
    pub async fn strike(&mut self, which: usize, blow: Blow, outcome: &mut Outcome) -> Result<()> {
        let number = which % self.processes.len();
        match blow {
            Blow::Redis(away) => match &mut self.redis {
                Some(redis) => {
                    redis.kill();
                    tokio::time::sleep(away).await;
                    redis.restart().await?;
                    outcome.outages += 1;
                    Ok(())
                }
                None => self.kill(number, away, outcome).await,
            },
            Blow::Database(away) => {
                if self.site.cut_database(away).await? {
                    outcome.outages += 1;
                    Ok(())
                } else {
                    self.kill(number, away, outcome).await
                }
            }
            Blow::Kill(down) => self.kill(number, down, outcome).await,
            Blow::Stop => {
                let Part { role, address, process } = self.processes.remove(number);
                process.stop().await?;
                outcome.stops += 1;
                self.start_again(number, role, address).await
            }
            Blow::Freeze(still) => {
                let process = &self.processes[number].process;
                process.signal("STOP")?;
                tokio::time::sleep(still).await;
                process.signal("CONT")?;
                outcome.freezes += 1;
                Ok(())
            }
        }
    }

    async fn kill(&mut self, number: usize, down: Duration, outcome: &mut Outcome) -> Result<()> {
        let Part { role, address, process } = self.processes.remove(number);
        process.kill();
        tokio::time::sleep(down).await;
        outcome.kills += 1;
        self.start_again(number, role, address).await
    }

    async fn start_again(&mut self, number: usize, role: &'static str, address: String) -> Result<()> {
        let process = self.site.serve_as(&self.twilio, role, &address).await?;
        self.processes.insert(number, Part { role, address, process });
        Ok(())
    }

    /// Stops all of them; the database stays.
    pub async fn stop(self) -> Result<Site> {
        for part in self.processes {
            part.process.stop().await?;
        }
        Ok(self.site)
    }
}
