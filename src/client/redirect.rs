//! Redirects (RFC 9110 15.4): where they lead, and what goes along.

use url::Url;

use super::plan::Plan;
use crate::error::Refusal;
use crate::http::first_value;
use crate::url::Target;

/// Headers that only the origin gets that they were meant for.
const SECRETS: [&str; 4] = ["Authorization", "Cookie", "Proxy-Authorization", "Host"];

/// The target that an answer names, or why it can't be followed. `None`: it is no redirect.
pub(super) fn target(from: &Plan, status: u16, refusal: &Refusal) -> Option<Result<Target, &'static str>> {
    let location = match status {
        301 | 302 | 303 | 307 | 308 => first_value(&refusal.headers, "Location")?,
        _ => return None,
    };
    Some(resolve(&from.target, location, from.options.max_url_length))
}

/// The target of a `Location`, which may be relative and may have the schemes of the web.
fn resolve(from: &Target, location: &[u8], longest: usize) -> Result<Target, &'static str> {
    const UNUSABLE: &str = "its Location can't be used";
    let location = std::str::from_utf8(location).map_err(|_| UNUSABLE)?;
    let url = Url::parse(&from.url()).and_then(|base| base.join(location)).map_err(|_| UNUSABLE)?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err("it does not lead to a WebSocket server"),
    };
    if from.secure && scheme == "ws" {
        return Err("it leads from wss to ws");
    }
    // Without user, password and fragment.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{scheme}://{}{port}{}{query}", url.host_str().unwrap_or_default(), url.path());
    let mut target = Target::parse_within(&text, longest).map_err(|_| UNUSABLE)?;
    if target.host == from.host {
        target.zone = from.zone.clone();
    }
    Ok(target)
}

impl Plan {
    /// The plan for where a redirect leads. Another origin gets no credentials (RFC 9110 15.4).
    pub fn redirected(&self, mut target: Target) -> Plan {
        let Plan { target: from, options, proxy, tls } = self;
        let (mut options, mut tls) = (options.clone(), tls.clone());
        match (from.secure, &from.host, from.port) == (target.secure, &target.host, target.port) {
            true => target.authorization = from.authorization.clone(),
            false => {
                options.headers.retain(|(name, _)| !SECRETS.iter().any(|it| name.eq_ignore_ascii_case(it)));
                options.client_cert = None;
                options.tls_server_name = None;
                tls.client_cert = None;
            }
        }
        Plan { target, options, proxy: proxy.clone(), tls }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ConnectOptions;
    use crate::tls::ClientCert;

    fn led(from: &str, location: &str) -> Result<String, &'static str> {
        let to = resolve(&Target::parse(from).unwrap(), location.as_bytes(), 100)?;
        assert!(to.authorization.is_none());
        Ok(to.url())
    }

    #[test]
    fn where_a_location_leads() {
        for (from, location, to) in [
            ("ws://a/x/y?q", "ws://b/z", "ws://b:80/z"),
            ("ws://a/x/y?q", "http://b:81", "ws://b:81/"),
            ("ws://a/x/y?q", "HTTPS://B/?r", "wss://b:443/?r"),
            ("ws://a:81/x/y?q", "z", "ws://a:81/x/z"),
            ("ws://a:81/x/y?q", "/z#part", "ws://a:81/z"),
            ("wss://a/x/y?q", "?r", "wss://a:443/x/y?r"),
            ("wss://a/x", "//b/y", "wss://b:443/y"),
            ("ws://[::1]:81/x", "/y", "ws://[::1]:81/y"),
            ("ws://a/", "ws://user:pw@b/z", "ws://b:80/z"),
            ("ws://a/", "/with space", "ws://a:80/with%20space"),
        ] {
            assert_eq!(led(from, location).as_deref(), Ok(to), "{from} {location}");
        }
    }

    #[test]
    fn where_no_redirect_leads() {
        for (from, location) in [
            ("wss://a/", "ws://a/"),
            ("wss://a/", "http://a/login"),
            ("ws://a/", "ftp://a/"),
            ("ws://a/", "javascript:alert(1)"),
            ("ws://a/", "ws://"),
            ("ws://a/", "ws://b:0/"),
            ("ws://a/", "ws://b:99999/"),
        ] {
            led(from, location).expect_err(location);
        }
        led("ws://a/", &"x".repeat(101)).expect_err("too long");
        resolve(&Target::parse("ws://a/").unwrap(), b"/\xff", 100).expect_err("no UTF-8");
    }

    #[test]
    fn another_origin_gets_no_credentials() {
        let given = ["Authorization", "cookie", "HOST", "Proxy-Authorization", "X-Kept", "Origin"];
        let headers = given.map(|name| (name.to_owned(), "v".to_owned())).to_vec();
        let client_cert =
            Some(ClientCert { cert_path: "c".into(), key_path: "k".into(), key_password: None });
        let tls_server_name = Some("c".to_owned());
        let options = ConnectOptions { headers, client_cert, tls_server_name, ..ConnectOptions::default() };
        let plan = Plan::new(Target::parse("wss://u:p@a/x").unwrap(), options);
        let to = |url: &str| plan.redirected(Target::parse(url).unwrap());
        let same = to("wss://a/y");
        assert_eq!((same.options.headers.len(), &same.tls), (given.len(), &plan.tls));
        assert!(
            same.options.client_cert.is_some()
                && same.options.tls_server_name.is_some()
                && same.target.authorization.is_some()
        );
        for other in ["wss://b/x", "wss://a:444/x", "ws://a/x"] {
            let other = to(other);
            let left: Vec<_> = other.options.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(left, ["X-Kept", "Origin"]);
            assert!(other.options.client_cert.is_none() && other.target.authorization.is_none());
            assert!(other.tls != plan.tls && other.options.tls_server_name.is_none());
        }
    }
}
