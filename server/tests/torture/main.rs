//! A campaign while everything goes wrong: the serving process is killed in the middle of it, stopped and woken, Twilio
//! answers late, wrongly or not at all, or takes what it broke off, and callbacks come twice, in any order, or never. After each
//! round everybody who was planned has exactly one message at the simulator, their own, or one that says why it was not sent;
//! the ledger balances, and the run has ended by itself.
//!
//! A round follows from its seed. `cargo test` runs those of [`PINNED`] on each database; `make torture ROUNDS=200` runs
//! many: `TORTURE_ROUNDS` (for each database) and `TORTURE_SEED` (of the first) are its settings.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a long test talks to its terminal")]

mod cluster;
mod events;
mod evidence;
mod missed;
mod proxy;
mod rolling;
mod round;
mod scenario;
mod singles;
mod stop;

use std::{collections::BTreeSet, ops::RangeInclusive, time::Instant};

use anyhow::{Result, bail};
use futures::{StreamExt as _, stream};
use round::Outcome;
use scenario::{KINDS, Scenario};
use testkit::program::{Backend, backends};

/// Rounds at the same time: they mostly wait for leases and graces.
const AT_ONCE: usize = 3;

/// The seeds of the rounds that every `cargo test` plays. They are chosen: with few rounds, the first numbers leave out half of
/// what there is, while these have all [`KINDS`] of blows and faults between them, Redis where it is there to be killed, a clock
/// that is off by an hour, both channels and both rules. Whoever changes what follows from a seed has to take others: the test
/// of this names some.
const PINNED: [u64; 3] = [80, 296, 730];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seeds that the settings ask for, else those that are pinned.
fn seeds() -> Vec<u64> {
    match (setting("TORTURE_ROUNDS"), setting("TORTURE_SEED")) {
        (None, None) => PINNED.to_vec(),
        (rounds, seed) => {
            let first = seed.unwrap_or(1);
            (first..first + rounds.unwrap_or(1)).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_lost_and_nobody_gets_it_twice() {
    let seeds = seeds();
    let mut failed = Vec::new();
    for backend in backends() {
        if let Err(error) = torture(&backend, &seeds).await {
            failed.push(error.to_string());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_pinned_rounds_have_everything_between_them() {
    let had: BTreeSet<&str> = PINNED.iter().flat_map(|seed| Scenario::of(*seed).has()).collect();
    let missing: Vec<&str> = KINDS.iter().copied().filter(|kind| !had.contains(kind)).collect();
    assert!(missing.is_empty(), "no pinned round has {missing:?}; these would do: {:?}", with_everything(1..=400));
}

/// Of these seeds, threes whose rounds have everything between them.
fn with_everything(seeds: RangeInclusive<u64>) -> Vec<[u64; 3]> {
    let rounds: Vec<(u64, BTreeSet<&str>)> = seeds.map(|seed| (seed, Scenario::of(seed).has())).collect();
    let all: BTreeSet<&str> = KINDS.iter().copied().collect();
    let mut threes = Vec::new();
    for (first, has) in &rounds {
        let after_one = &all - has;
        for (second, has) in rounds.iter().filter(|(seed, _)| seed > first) {
            let after_two = &after_one - has;
            let thirds = rounds.iter().filter(|(seed, has)| seed > second && after_two.is_subset(has));
            threes.extend(thirds.map(|(third, _)| [*first, *second, *third]));
        }
    }
    threes
}

/// What a rolling update costs Twilio: nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_leaves_no_webhook_unanswered() {
    for backend in backends().iter().filter(|backend| backend.is_postgres()) {
        let figures = rolling::restart(backend).await.unwrap_or_else(|error| panic!("{error:#}"));
        println!("{:<9}{figures}", backend.name);
    }
}

/// A STOP counts, also when nobody was there to take it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_came_while_nobody_was_there_wins() {
    for backend in backends() {
        let figures = missed::stops(&backend).await.unwrap_or_else(|error| panic!("{error:#}"));
        println!("{:<9}{figures}", backend.name);
    }
}

/// A STOP wins, in the middle of a run, in whichever process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_run_wins() {
    for backend in backends() {
        let figures = stop::in_one_process(&backend).await.unwrap_or_else(|error| panic!("{error:#}"));
        println!("{:<9}one process: {figures}", backend.name);
        if backend.is_postgres() {
            let figures = stop::in_others(&backend).await.unwrap_or_else(|error| panic!("{error:#}"));
            println!("{:<9}two for webhooks, two that send: {figures}", backend.name);
        }
    }
}

/// What was told has its message, once, whenever the program was killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_answered_twice() {
    for backend in backends() {
        let figures = events::told(&backend).await.unwrap_or_else(|error| panic!("{error:#}"));
        println!("{:<9}{figures}", backend.name);
    }
}

/// A sender's rate is one rate, however many processes share it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_keep_one_rate() {
    for backend in backends().iter().filter(|backend| backend.is_postgres()) {
        let figures = rolling::paced(backend).await.unwrap_or_else(|error| panic!("{error:#}"));
        println!("{:<9}{figures}", backend.name);
    }
}

/// All rounds on one database; the error names every seed that failed.
async fn torture(backend: &Backend, seeds: &[u64]) -> Result<()> {
    let started = Instant::now();
    let mut outcomes = stream::iter(seeds.iter().copied())
        .map(|seed| async move { (seed, round::play(backend, &Scenario::of(seed)).await) })
        .buffer_unordered(AT_ONCE);
    let (mut total, mut failed) = (Outcome::default(), Vec::new());
    while let Some((seed, played)) = outcomes.next().await {
        match played {
            Ok(outcome) => {
                let scenario = Scenario::of(seed);
                let (channel, rule) = (scenario.channel(), scenario.rule());
                println!("{:<9}seed {seed:<6}by {channel}, {rule}: {outcome}", backend.name);
                total += outcome;
            }
            Err(error) => {
                println!("{:<9}seed {seed:<6}FAILED: {error:#}", backend.name);
                failed.push(format!("{} TORTURE_ROUNDS=1 TORTURE_SEED={seed}: {error:#}", backend.name));
            }
        }
    }
    let (rounds, seconds) = (seeds.len(), started.elapsed().as_secs());
    println!("{:<9}{rounds} rounds in {seconds} s, {} failed: {total}", backend.name, failed.len());
    if failed.is_empty() && total.under_way == 0 {
        bail!("{}: every run was over before anything happened to it, which proves nothing", backend.name);
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}
