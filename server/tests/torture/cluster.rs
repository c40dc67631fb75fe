//! The processes of a round and what they share.

use std::time::Duration;

use anyhow::Result;
use testkit::program::{Process, Redis, Site, free_address};

use crate::{proxy::Proxy, round::Outcome, scenario::Blow};

/// One process that does everything, or several with a part each.
pub struct Cluster {
    pub site: Site,
    /// Where the simulator is.
    twilio: String,
    processes: Vec<Part>,
    redis: Option<Redis>,
    /// Before those that are called, where there are several.
    _proxy: Option<Proxy>,
}

struct Part {
    role: &'static str,
    address: String,
    process: Process,
}

impl Cluster {
    pub async fn start(mut site: Site, twilio: &str, roles: &[&'static str], redis: bool) -> Result<Self> {
        let redis = if redis { Some(Redis::start().await?) } else { None };
        if let Some(redis) = &redis {
            site.set("REDIS_URL", redis.url());
        }
        let several = roles.iter().filter(|role| is_called(role)).count() > 1;
        if several {
            site.set("TRUSTED_PROXIES", "127.0.0.0/8");
        }
        let (mut processes, mut called) = (Vec::new(), Vec::new());
        for role in roles {
            let alone = is_called(role) && !several;
            let address = if alone { site.address().to_owned() } else { free_address()? };
            let process = site.serve_as(twilio, role, &address).await?;
            if is_called(role) {
                called.push(process.url.clone());
            }
            processes.push(Part { role, address, process });
        }
        let proxy = if several { Some(Proxy::start(site.address(), called).await?) } else { None };
        Ok(Self { site, twilio: twilio.to_owned(), processes, redis, _proxy: proxy })
    }

    /// Where they are called.
    pub fn url(&self) -> String {
        format!("http://{}", self.site.address())
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
            Blow::Cut(away) => {
                if self.site.cut_database(away).await? {
                    outcome.outages += 1;
                    Ok(())
                } else {
                    self.kill(number, away, outcome).await
                }
            }
            Blow::Restart(end, away) => {
                if self.site.restart_database(end, away).await? {
                    outcome.restarts += 1;
                    Ok(())
                } else {
                    self.kill(number, away, outcome).await
                }
            }
            Blow::NoWrites(meanwhile) => {
                if !self.site.refuse_writes(meanwhile).await? {
                    let process = &self.processes[number].process;
                    process.limit_files(Some(0))?;
                    tokio::time::sleep(meanwhile).await;
                    process.limit_files(None)?;
                }
                outcome.full += 1;
                Ok(())
            }
            Blow::Clock(off, meanwhile) => {
                self.site.set_clock(off)?;
                tokio::time::sleep(meanwhile).await;
                self.site.set_clock(0)?;
                outcome.jumps += 1;
                Ok(())
            }
            Blow::Kill(down) => self.kill(number, down, outcome).await,
            Blow::KillAll(down) => self.kill_all(down, outcome).await,
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

    async fn kill_all(&mut self, down: Duration, outcome: &mut Outcome) -> Result<()> {
        let mut parts = Vec::new();
        for Part { role, address, process } in self.processes.drain(..) {
            process.kill();
            outcome.kills += 1;
            parts.push((role, address));
        }
        tokio::time::sleep(down).await;
        for (number, (role, address)) in parts.into_iter().enumerate() {
            self.start_again(number, role, address).await?;
        }
        Ok(())
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

fn is_called(role: &str) -> bool {
    role != "worker"
}
