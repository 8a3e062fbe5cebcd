//! The proxy-wasm module: it fetches the document, decides every request by it, and tells the upstream.
//!
//! Rules are `turquoise-core`'s; what is here is the proxy's side: headers, cookies, callouts, metrics. Nothing in this
//! crate may panic, since a panic kills the proxy's VM: `host` wraps every call, and lints deny the rest.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod anonymous;
mod exchange;
mod host;
mod job;
mod live;
mod metrics;
mod ofrep;
mod plugin;
mod request;
mod root;
mod serving;
mod shared;
mod source;
mod status;
#[cfg(feature = "trap")]
mod trap;
mod trouble;
mod trust;

/// Private, so that the function which the SDK's macro writes needs no documentation.
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
