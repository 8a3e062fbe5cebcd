//! `make up`: the scenario, left running for who wants to try things.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::document::Document;
use crate::report::Report;
use crate::scenario::{Addresses, Scenario, start_source};

/// Starts everything on the documented ports where they are free, says what to try, and runs until it is dropped or
/// something dies.
pub async fn run(report: Report, program: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let document = Document::create(directory.path())?;
    let addresses = Addresses::documented()?;
    let mut source = start_source(document.path(), addresses.source).await?;
    let mut scenario = Scenario::start(program, addresses, 2, addresses.config()?).await?;
    scenario.deploy_green().await?;
    introduce(report, &addresses, document.path());
    let logs = [(source.log().clone(), ""), (scenario.envoy.log().clone(), "wasm log")];
    let mut marks = logs.each_ref().map(|(log, _)| log.mark());
    loop {
        scenario.expect_running()?;
        source.expect_running()?;
        // Who breaks the document has to see what is wrong with it.
        for ((log, which), mark) in logs.iter().zip(&mut marks) {
            log.matching(*mark, which).iter().for_each(|line| println!("{}", report.paint.dim(line)));
            *mark = log.mark();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn introduce(report: Report, addresses: &Addresses, document: &Path) {
    let Addresses { shop, admin, blue, green, source } = addresses;
    let bold = |text: &str| println!("\n{}", report.paint.bold(text));
    let file = document.display();
    println!("{}", report.paint.bold("Turquoise is up: Blue/Green and feature flags in a real Envoy"));
    report.line("shop", &format!("http://{shop}/   (through Envoy; open it in a browser)"));
    report.line("versions", &format!("blue http://{blue}/, green http://{green}/"));
    report.line("document", &format!("{file}, served at http://{source}/document.json"));
    report.line("metrics", &format!("http://{admin}/stats/prometheus"));
    bold("Three things to try, in another terminal");
    println!(
        "   1. Switch everybody to green, and watch the page in the browser (swap the words to switch back):"
    );
    println!("        sed -i '/shop_green/,+1 s/\"blue\"$/\"green\"/' {file}");
    println!("        curl http://{shop}/hello");
    println!("   2. Turn the new greeting on for one half of the users:");
    println!(
        "        sed -i '/\"new-greeting\"/a \"targeting\": {{\"fractional\": [[\"on\", 50], [\"off\", 50]]}},' {file}"
    );
    println!("        for user in 1 2 3 4 5 6; do curl -H \"x-user-id: $user\" http://{shop}/hello; done");
    println!("   3. Open the gate before a feature that answers 404 until then:");
    println!("        sed -i '/\"special-feature\": {{/,/}}$/ s/\"off\"$/\"on\"/' {file}");
    println!("        curl -i http://{shop}/api/special_feature");
    println!("\nCtrl-C ends it.");
}
