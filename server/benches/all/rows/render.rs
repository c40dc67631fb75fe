//! Templates per second on one core.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, anyhow};
use domain::{message::Channel, template::Variant};
use engine::{
    own_page::Link,
    templates::{Compiled, Recipient},
};
use minijinja::{Environment, context};

use crate::report::{Figure, Report};

const BODY: &str = "Hi {{ name|default('there') }}, our offers in {{ city|default('your town') }} are ready.";
const TIMES: u32 = 200_000;

/// Rendering with the sandbox, the checks and the choice of language; baseline: the template engine alone.
pub fn run(report: &mut Report) -> Result<()> {
    let variants = BTreeMap::from([("en".to_owned(), Variant { body: BODY.to_owned(), ..Variant::default() })]);
    let compiled = Compiled::new(Channel::Whatsapp, "en", &variants).map_err(|errors| anyhow!("{errors:?}"))?;
    let phone = "+4915110000000".parse()?;
    let attributes = serde_json::from_str(r#"{"name": "Ann Lee", "city": "Colombo", "spend": 12.5}"#)?;
    let recipient = Recipient {
        phone: &phone,
        name: Some("Ann Lee"),
        country: Some("DE"),
        locale: None,
        timezone: None,
        attributes: &attributes,
        own_page: Link::Sample { base: "https://example.com" },
    };
    let nothing = serde_json::Map::new();
    let started = Instant::now();
    for _ in 0..TIMES {
        compiled.render(&recipient, &nothing).map_err(|error| anyhow!("{error}"))?;
    }
    let rate = f64::from(TIMES) / started.elapsed().as_secs_f64();
    report.add(Figure {
        row: "render",
        backend: String::new(),
        what: "one text, two variables".to_owned(),
        value: rate,
        unit: "templates/s",
        baseline: Some(bare()?),
        limit: None,
    });
    Ok(())
}

fn bare() -> Result<f64> {
    let mut environment = Environment::new();
    environment.add_template("t", BODY)?;
    let template = environment.get_template("t")?;
    let started = Instant::now();
    for _ in 0..TIMES {
        template.render(context! { name => "Ann Lee", city => "Colombo" })?;
    }
    Ok(f64::from(TIMES) / started.elapsed().as_secs_f64())
}
