//! The built module in a simulated proxy. Tests assert what a client, an upstream or an operator would see, never in
//! which order the module called its host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use turquoise_host::simulated::{Callout, Exchange, Plugin, Request, SimulatedProxy, SimulatedVm};
use turquoise_host::{LogLevel, Module};

mod signer;

pub use signer::{START, Signer, Signing, with_fields};

/// The cluster of the config source in these tests.
pub const CLUSTER: &str = "turquoise_config";

/// The module as it ships, built now, so that it is never older than the code.
///
/// # Panics
/// When it does not build.
pub fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| Module::new(shipped()).unwrap_or_else(|error| panic!("the module: {error}")))
}

/// A module that dies when a document asks for it: [`TRAP_COMPILING`] or [`TRAP_FOLLOWING`].
///
/// # Panics
/// When it does not build.
pub fn trapping() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let wasm = build(&["--features", "trap", "--target-dir", "target/trap"]);
        let bytes = std::fs::read(&wasm).unwrap_or_else(|error| panic!("{}: {error}", wasm.display()));
        Module::new(&bytes).unwrap_or_else(|error| panic!("the module that dies: {error}"))
    })
}

/// Whoever compiles a document that holds this dies, in [`trapping`].
pub const TRAP_COMPILING: &str = "x-turquoise-test-trap-compile";

/// Whoever takes over a document that holds this from another VM dies, in [`trapping`].
pub const TRAP_FOLLOWING: &str = "x-turquoise-test-trap-follow";

/// The bytes of [`module`].
///
/// # Panics
/// When it does not build.
pub fn shipped() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let wasm = build(&[]);
        std::fs::read(&wasm).unwrap_or_else(|error| panic!("{}: {error}", wasm.display()))
    })
}

/// Builds the module with these arguments of cargo's as well.
fn build(more: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = if more.contains(&"--target-dir") { root.join("target/trap") } else { target };
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--profile",
            "wasm",
            "--target",
            "wasm32-wasip1",
            "-p",
            "turquoise-filter",
        ])
        .args(more)
        .current_dir(&root)
        .status()
        .expect("cargo runs");
    assert!(
        status.success(),
        "the module does not build; is the target there? rustup target add wasm32-wasip1"
    );
    target.join("wasm32-wasip1/wasm/turquoise_filter.wasm")
}

/// Nothing is fetched before the first tick, which comes so soon.
pub const FIRST_TICK: Duration = Duration::from_millis(10);

/// A boolean flag that is on for targeting keys and e-mail addresses of example.com, a release flag that sends testers
/// to green, and a gated route.
pub fn document() -> Value {
    json!({
        "flags": {
            "release": {
                "state": "ENABLED", "defaultVariant": "blue",
                "variants": { "blue": "shop_blue", "green": "shop_green" },
                "targeting": { "if": [{ "==": [{ "var": "request.headers.x-tester" }, "yes"] }, "green"] }
            },
            "greeting": {
                "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": { "if": [{ "ends_with": [{ "var": "email" }, "@example.com"] }, "on"] }
            },
            "special": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" }
        },
        "routes": [
            { "name": "special", "match": { "path": { "exact": "/api/special_feature" } },
              "gate": { "flag": "special", "status": 404 }, "flag": "release" },
            { "name": "shop", "match": { "path": { "prefix": "/" } }, "flag": "release" }
        ]
    })
}

/// [`document`] with `change` made to it.
pub fn document_with(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = document();
    change(&mut document);
    document
}

/// A plugin configuration with the document inlined, and every part of the contract that requests show.
pub fn configuration() -> Value {
    json!({
        "document": document(),
        "context": {
            "targetingKey": [{ "header": "x-user-id" }, { "cookie": "uid" }, { "anonymousCookie": "tq_id" }],
            "attributes": { "email": { "header": "x-user-email" }, "ip": { "property": "source.address" } }
        },
        "upstreams": ["shop_blue", "shop_green"],
        "flagHeader": { "flags": ["greeting", "unknown"] }
    })
}

/// [`configuration`] that also polls [`CLUSTER`] every second.
pub fn configuration_with_source() -> Value {
    let mut configuration = configuration();
    configuration["source"] = json!({ "cluster": CLUSTER, "interval": "1s", "timeout": "500ms" });
    configuration
}

/// A gauge about the document of [`CLUSTER`]: `generation` or `age_seconds`.
pub fn document_gauge(proxy: &SimulatedProxy, name: &str) -> Option<u64> {
    proxy.gauge(&format!("turquoise_document_{name}.source=.={CLUSTER}/document.json;.;"))
}

/// A proxy that knows [`CLUSTER`] and runs nothing yet.
pub fn proxy() -> SimulatedProxy {
    proxy_with(module())
}

/// The same with another module.
pub fn proxy_with(module: &Module) -> SimulatedProxy {
    let proxy = SimulatedProxy::new(module);
    proxy.add_cluster(CLUSTER);
    proxy
}

/// Starts a VM with `configuration`, which must be accepted.
///
/// # Panics
/// When it is refused.
pub fn start(proxy: &SimulatedProxy, configuration: &Value) -> (SimulatedVm, Plugin) {
    let vm = proxy.start_vm("").expect("the VM starts");
    let plugin = vm.configure(configuration.to_string()).expect("no trap");
    assert!(plugin.accepted(), "{:?}", proxy.logs());
    (vm, plugin)
}

/// The one callout that waits for its answer.
///
/// # Panics
/// When there are none, or several.
pub fn callout(proxy: &SimulatedProxy) -> Callout {
    let mut callouts = proxy.callouts();
    assert_eq!(callouts.len(), 1, "one callout waits for its answer");
    callouts.remove(0)
}

/// What was logged at this level.
pub fn lines(proxy: &SimulatedProxy, level: LogLevel) -> Vec<String> {
    let logs = proxy.logs().into_iter();
    logs.filter(|line| line.level == level).map(|line| line.message).collect()
}

/// Where this plugin sends a request to `/hello`, which then ends.
///
/// # Panics
/// When it traps, or sends it nowhere.
pub fn upstream(plugin: &Plugin) -> String {
    let exchange = plugin.request(Request::get("shop.example.com", "/hello")).expect("no trap");
    let upstream = exchange.request_header("x-turquoise-upstream").expect("the release decides");
    exchange.finish().expect("no trap");
    upstream
}

/// [`upstream`] of each of these.
pub fn upstreams(vms: &[(SimulatedVm, Plugin)]) -> Vec<String> {
    vms.iter().map(|(_, plugin)| upstream(plugin)).collect()
}

/// A proxy with one VM that runs one plugin.
#[derive(Debug)]
pub struct Running {
    /// The proxy.
    pub proxy: SimulatedProxy,
    /// Its VM.
    pub vm: SimulatedVm,
    /// The plugin in it.
    pub plugin: Plugin,
}

impl Running {
    /// Starts a plugin with `configuration`, which must be accepted.
    ///
    /// # Panics
    /// When it is refused.
    pub fn new(configuration: &Value) -> Self {
        let proxy = proxy();
        let (vm, plugin) = start(&proxy, configuration);
        let running = Self { proxy, vm, plugin };
        running.advance(FIRST_TICK);
        running
    }

    /// A request up to where the proxy would send it on.
    ///
    /// # Panics
    /// When the module traps.
    pub fn request(&self, request: Request) -> Exchange {
        self.vm.request(request).expect("no trap")
    }

    /// Where a request to `/hello` of this user goes.
    pub fn upstream(&self, user: &str) -> Option<String> {
        let request = Request::get("shop.example.com", "/hello").header("x-user-id", user);
        self.request(request).request_header("x-turquoise-upstream")
    }

    /// Lets time pass.
    ///
    /// # Panics
    /// When the module traps.
    pub fn advance(&self, time: Duration) {
        self.proxy.advance(time).expect("no trap");
    }

    /// The one callout that waits for its answer.
    ///
    /// # Panics
    /// When there are none, or several.
    pub fn callout(&self) -> Callout {
        callout(&self.proxy)
    }

    /// A gauge about the document, as [`document_gauge`].
    pub fn document_gauge(&self, name: &str) -> Option<u64> {
        document_gauge(&self.proxy, name)
    }

    /// The counter of refusals for this reason.
    pub fn refusals(&self, reason: &str) -> u64 {
        self.proxy.counter(&format!("turquoise_refusals_total.reason=.={reason};.;")).unwrap_or(0)
    }

    /// The counter of fetches with this result.
    pub fn fetches(&self, result: &str) -> u64 {
        self.proxy.counter(&format!("turquoise_fetches_total.result=.={result};.;")).unwrap_or(0)
    }
}
