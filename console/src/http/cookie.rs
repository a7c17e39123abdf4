//! Cookies: reading the few that the console sets, and writing them with the flags they need.

use crate::config::Config;
use axum::http::{HeaderMap, HeaderValue, header};

/// The session token.
pub const SESSION: &str = "citychain_session";
/// Marks a browser that is not signed in, so that its forms have a token too.
pub const VISIT: &str = "citychain_visit";
/// What the next page says once.
pub const SAID: &str = "citychain_said";
pub const LANG: &str = "citychain_lang";
pub const THEME: &str = "citychain_theme";

/// The value of a cookie. Over https the names carry `__Host-`, so that no other host of the domain can set them.
pub fn read<'a>(config: &Config, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let wanted = full_name(config, name);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == wanted)
        .map(|(_, value)| value)
}

/// A `Set-Cookie` value; no age means until the browser closes, zero means remove.
pub fn write(config: &Config, name: &str, value: &str, max_age_s: Option<i64>) -> HeaderValue {
    let secure = if config.https { "; Secure" } else { "" };
    let age = max_age_s.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    // Lax, not Strict: a link in a mail must find its reader signed in. Forms are guarded by their token.
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", full_name(config, name));
    HeaderValue::try_from(text).expect("cookie names and values are written by the console in ASCII")
}

fn full_name(config: &Config, name: &str) -> String {
    if config.https { format!("__Host-{name}") } else { name.to_owned() }
}
