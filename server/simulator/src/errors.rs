//! Twilio's error answers (error dictionary, and "Error response" of the Messages resource).

use std::borrow::Cow;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error as the 2010 API and the Content API answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub code: u32,
    pub message: Cow<'static, str>,
}

impl ApiError {
    /// The error with its usual text.
    pub fn of(code: u32) -> Self {
        Self { code, message: text(code).into() }
    }

    pub fn new(code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// 404 for a path of the API.
    pub fn not_found(path: &str) -> Self {
        Self::new(20404, format!("The requested resource {path} was not found"))
    }

    pub fn status(&self) -> StatusCode {
        http_status(self.code)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": status.as_u16(),
        });
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let realm = header::HeaderValue::from_static("Basic realm=\"Twilio API\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}

/// The HTTP status an error code comes with on a create. For 21611, 63018 and 63038 Twilio documents none; 429 fits
/// their meaning, and clients should decide on the code anyway.
pub(crate) fn http_status(code: u32) -> StatusCode {
    match code {
        20003 => StatusCode::UNAUTHORIZED,
        20008 | 20403 => StatusCode::FORBIDDEN,
        20404 => StatusCode::NOT_FOUND,
        20004 => StatusCode::METHOD_NOT_ALLOWED,
        20009 | 20409 => StatusCode::CONFLICT,
        20410 => StatusCode::GONE,
        20422 => StatusCode::UNPROCESSABLE_ENTITY,
        20429 | 21611 | 63018 | 63038 => StatusCode::TOO_MANY_REQUESTS,
        20500 => StatusCode::INTERNAL_SERVER_ERROR,
        20503 => StatusCode::SERVICE_UNAVAILABLE,
        20504 => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A short text for a code. Twilio's own texts change over time and are not to be programmed against.
pub(crate) fn text(code: u32) -> &'static str {
    match code {
        10001 => "Account is not active",
        11200 => "HTTP retrieval failure",
        11205 => "HTTP connection failure",
        11217 => "HTTP bad status code",
        11243 => "Invalid webhook connection override",
        11750 => "TwiML response body too large",
        12100 => "Document parse failure",
        12300 => "Invalid Content-Type",
        14109 => "TwiML reply message limit exceeded",
        14110 => "TwiML message verb is not valid",
        20001 => "Invalid parameter",
        20003 => "Authenticate",
        20004 => "Method not allowed",
        20007 => "Page size too large",
        20008 => "Resource not accessible with test account credentials",
        20009 => "Cannot delete this message yet",
        20403 => "Account is not permitted to use the API",
        20404 => "The requested resource was not found",
        20409 => "Conflict with the state of the resource",
        20422 => "Invalid request: the request is malformed",
        20429 => "Too Many Requests",
        20500 => "An internal server error has occurred",
        20503 => "Service is temporarily unavailable",
        21211 => "The 'To' number is not a valid phone number",
        21212 => "The 'From' number is not a valid phone number, short code or alphanumeric sender ID",
        21266 => "'To' and 'From' number cannot be the same",
        21408 => "Permission to send an SMS has not been enabled for the region of the 'To' number",
        21481 => "Invalid page token",
        21602 => "Message body is required",
        21603 => "A 'From' phone number is required",
        21604 => "A 'To' phone number is required",
        21606 => "The 'From' phone number is not a valid, SMS-capable number of this account",
        21608 => "The 'To' number is unverified: trial accounts cannot send messages to it",
        21609 => "The 'StatusCallback' URL is not a valid URL",
        21610 => "Attempt to send to unsubscribed recipient",
        21611 => "This 'From' number has exceeded the maximum number of queued messages",
        21612 => "The 'To' phone number is not currently reachable using the 'From' phone number",
        21614 => "The 'To' number is not a valid mobile number",
        21617 => "The concatenated message body exceeds the 1600 character limit",
        21619 => "A text message body, media URL or content is required",
        21620 => "A 'MediaUrl' is not a valid URL",
        21623 => "The number of 'MediaUrl' parameters exceeds the maximum of 10",
        21624 => "The 'ValidityPeriod' is invalid: expected 1 to 36000 seconds",
        21654 => "The 'ContentSid' is required with 'ContentVariables'",
        21655 => "The 'ContentSid' is invalid",
        21656 => "The 'ContentVariables' parameter is invalid",
        21705 => "The Messaging Service SID is invalid",
        21910 => "Invalid 'From' and 'To' pair: both must be of the same channel",
        30001 => "Queue overflow",
        30002 => "Account suspended",
        30003 => "Unreachable destination handset",
        30004 => "Message blocked",
        30005 => "Unknown destination handset",
        30006 => "Landline or unreachable carrier",
        30007 => "Message filtered",
        30008 => "Unknown error",
        30034 => "US A2P 10DLC: message from an unregistered number",
        30036 => "Validity period expired",
        35111 => "The 'SendAt' parameter is required with 'ScheduleType'",
        35114 => "The 'SendAt' time is outside the allowed range",
        35115 => "The 'SendAt' parameter is not a valid time",
        35117 => "The 'ScheduleType' parameter is invalid",
        35118 => "'MessagingServiceSid' is required to schedule a message",
        35127 => "'Body' and 'ContentVariables' exclude one another",
        63003 => "Channel could not find the To address",
        63007 => "Could not find a channel with the specified From address",
        63013 => "Message violates the channel's policy",
        63016 => "Failed to send freeform message because you are outside the allowed window",
        63018 => "Rate limit exceeded for the channel",
        63021 => "Channel invalid content error",
        63024 => "Invalid message recipient",
        63030 => "Unsupported parameter",
        63031 => "'From' and 'To' cannot be the same channel address",
        63032 => "The recipient is part of a WhatsApp experiment",
        63033 => "The recipient stopped marketing messages of this business",
        63038 => "Account exceeded the daily messages limit",
        63040 => "Template was rejected",
        63041 => "Template is paused",
        63042 => "Template was disabled",
        63049 => "Meta chose not to deliver this marketing message",
        _ => "Simulated error",
    }
}

/// What `ChannelStatusMessage` says on a WhatsApp failure: the place where Meta's own code shows up.
pub(crate) fn channel_text(code: u32) -> Cow<'static, str> {
    let (meta, title) = match code {
        63016 => (131047, "Re-engagement message"),
        63018 => (130429, "Rate limit hit"),
        63024 => (131026, "Message undeliverable"),
        63033 => (131050, "User has stopped receiving marketing messages"),
        63049 => (131049, "Message not sent to maintain healthy ecosystem engagement"),
        63051 => (131031, "Account has been locked"),
        _ => return text(code).into(),
    };
    format!("Error {meta}: {title}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_follow_the_table_of_the_reference() {
        for (code, status) in [
            (20003, 401),
            (20404, 404),
            (20429, 429),
            (20500, 500),
            (21211, 400),
            (21610, 400),
            (63007, 400),
            (99999, 400),
        ] {
            assert_eq!(ApiError::of(code).status().as_u16(), status, "{code}");
        }
    }

    #[test]
    fn metas_code_shows_up_in_the_channels_text() {
        assert!(channel_text(63016).contains("131047"));
        assert_eq!(channel_text(30003), "Unreachable destination handset");
    }
}
