//! `depot-bot healthcheck`: asks the running bot whether it is ready, for images without `curl`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{answer, layers};
use crate::config;

const DEADLINE: Duration = Duration::from_secs(3);

/// Asks the ops server of this host's bot whether it can take updates; exits 0 if so, 1 otherwise.
///
/// # Errors
/// The configuration's, or a bot that does not answer within 3 s.
pub async fn run() -> anyhow::Result<ExitCode> {
    let http = config::HttpSettings::read(&layers()?)?;
    let url = format!("http://{}/health/ready", reachable(http.bind));
    let client = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build()?;
    let response = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    let is_ready = response.status().is_success();
    answer(&response.text().await.unwrap_or_default());
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The address to ask for a listener on every address of this host.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_on_the_loopback() {
        let asked = |bind: &str| reachable(bind.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080"), "[::1]:8080");
        assert_eq!(asked("10.0.0.5:81"), "10.0.0.5:81");
    }
}
