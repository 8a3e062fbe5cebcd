//! Who sees the status page where clients state their addresses: behind the PROXY protocol.

use std::time::Duration;

use anyhow::{Result, ensure};
use blue_green::document::Document;
use blue_green::scenario::{Addresses, Scenario};
use envoy_harness::origin::Origin;
use envoy_harness::raw::{self, RawReply};

use crate::fixture::{STATUS, TOKEN, WORKERS, quick, shop};

const PATIENCE: Duration = Duration::from_secs(10);

/// Envoy takes both ends of a connection from its first line.
const LISTENER_FILTER: &str = "      listener_filters:
        - name: envoy.filters.listener.proxy_protocol
          typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol }
      filter_chains:\n";

const FORGED: &str = "PROXY TCP4 127.0.0.1 127.0.0.1 40000 10000\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_loopback_address_does_not_open_the_status_page() -> Result<()> {
    let tokens = format!(r#""tokens": ["{TOKEN}"]"#);
    let reply = asked(&tokens, None).await?;
    ensure!(
        reply.status() == Some(401) && reply.body().is_empty(),
        "{:?}: {:?}",
        reply.status(),
        reply.body()
    );
    ensure!(asked(&tokens, Some(TOKEN)).await?.status() == Some(200), "a token opens it");
    // What this setting means there, and why it is not the default.
    ensure!(asked(r#""allowLocal": true"#, None).await?.status() == Some(200), "the address was not forged");
    Ok(())
}

/// The answer to a client that states a loopback address, with these settings of the status page.
async fn asked(settings: &str, token: Option<&str>) -> Result<RawReply> {
    let directory = tempfile::tempdir()?;
    let document = Document::create(directory.path())?;
    let origin = Origin::start(document.text()).await?;
    let addresses = Addresses { source: origin.address(), ..Addresses::free()? };
    let config = quick(addresses.config()?)?
        .replace(&format!(r#""tokens": ["{TOKEN}"]"#), settings)?
        .replace("      filter_chains:\n", LISTENER_FILTER)?;
    let scenario = Scenario::start_with(shop(), addresses, WORKERS, config, &[]).await?;
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request =
        format!("{FORGED}GET {STATUS} HTTP/1.1\r\nhost: shop\r\n{authorization}connection: close\r\n\r\n");
    raw::send(scenario.addresses.shop, request.as_bytes(), PATIENCE).await
}
