//! The few calls of the REST API that tests from outside need, and of the pages.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::program::{ADMIN_EMAIL, ADMIN_PASSWORD};

pub struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Api {
    /// # Errors
    /// When there is no TLS to be had.
    pub fn new(base: &str, key: String) -> Result<Self> {
        Ok(Self { http: client()?, base: format!("{base}/api/v1"), key })
    }

    /// # Errors
    /// With the answer, unless it is a success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// # Errors
    /// With the answer, unless it is a success.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut request = self.http.post(format!("{}{path}", self.base));
        if !body.is_null() {
            request = request.json(body);
        }
        self.send(request).await
    }

    /// # Errors
    /// With the answer, unless it is a success.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.http.patch(format!("{}{path}", self.base)).json(body)).await
    }

    /// Posts with an `Idempotency-Key`: the status and the answer, whatever they are.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<(u16, String)> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.key);
        let answer = request.header("Idempotency-Key", key).json(body).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Posts lines of JSON.
    ///
    /// # Errors
    /// With the answer, unless it is a success.
    pub async fn lines(&self, path: &str, body: String) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base));
        self.send(request.header("content-type", "application/x-ndjson").body(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let answer = request.bearer_auth(&self.key).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| text)
    }

    /// Uploads a CSV file and waits until it is imported.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub async fn import(&self, file: &Path) -> Result<Value> {
        let body = tokio::fs::read(file).await?;
        let request = self.http.post(format!("{}/imports?format=csv", self.base)).body(body);
        let import = self.send(request).await?;
        let path = format!("/imports/{}", text(&import, "id")?);
        loop {
            let import = self.get(&path).await?;
            match text(&import, "status")? {
                "done" => return Ok(import),
                "failed" => bail!("the import failed: {import}"),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// No limits of ours: what is measured is the program, not the throttle.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn lift_limits(&self) -> Result<()> {
        let settings = json!({
            "enforce_whatsapp_window": false,
            "account_rate_per_second": null,
            "quiet_hours": {"enabled": false, "reason": "it runs at any time of the day"}
        });
        self.patch("/settings", &settings).await?;
        for sender in self.get("/senders").await?["items"].as_array().into_iter().flatten() {
            self.patch(&format!("/senders/{}", text(sender, "id")?), &json!({"rate_per_second": 1_000_000})).await?;
        }
        Ok(())
    }

    /// A campaign to everybody, in draft. Not marketing, which the law keeps to certain hours.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn campaign(&self, name: &str) -> Result<String> {
        let template = json!({
            "name": name,
            "category": "utility",
            "variants": {"en": {"body": "Hi {{ name|default('there') }}, our offers in {{ city|default('your town') }} are ready."}}
        });
        let template = self.post("/templates", &template).await?;
        let everybody = json!({"name": name, "definition": {"combinator": "and", "rules": []}});
        let segment = self.post("/segments", &everybody).await?;
        let campaign = json!({"name": name, "template_id": template["id"], "segment_id": segment["id"]});
        Ok(text(&self.post("/campaigns", &campaign).await?, "id")?.to_owned())
    }
}

fn client() -> Result<reqwest::Client> {
    // A file of a million rows takes a while.
    let builder = reqwest::Client::builder().timeout(Duration::from_secs(600));
    Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
}

/// A person's browser, logged in, as far as a server-rendered page needs one.
pub struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: String,
}

impl Browser {
    /// Logs the first admin in.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn log_in(base: &str) -> Result<Self> {
        let http = client()?;
        let form = [("email", ADMIN_EMAIL), ("password", ADMIN_PASSWORD), ("next", "/")];
        let answer = http.post(format!("{base}/login")).form(&form).send().await?;
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        if pairs.is_empty() {
            bail!("logging in gave no session: {}", answer.status());
        }
        Ok(Self { cookie: pairs.join("; "), http, base: base.to_owned() })
    }

    /// A page as it is shown.
    ///
    /// # Errors
    /// Unless it is a success.
    pub async fn page(&self, path: &str) -> Result<String> {
        let request = self.http.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }
}

/// A text field of an answer.
///
/// # Errors
/// When it is missing.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} is missing in {value}"))
}
