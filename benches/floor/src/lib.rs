//! What any module of the proxy pays: it reads the headers and the body, as answering OFREP needs, counts, and answers a
//! constant. What the filter takes beyond this is its own.
#![expect(clippy::disallowed_methods, reason = "they panic, which harms nobody here")]

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MapType, MetricType};

const ANSWER: &[u8] = br#"{"key":"flag-1","reason":"TARGETING_MATCH","value":true,"variant":"on"}"#;

struct Root {
    counter: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.counter = hostcalls::define_metric(MetricType::Counter, "turquoise_floor").unwrap_or_default();
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Floor { counter: self.counter }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Floor {
    counter: u32,
}

impl Context for Floor {}

impl HttpContext for Floor {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let _ = hostcalls::get_map_bytes(MapType::HttpRequestHeaders);
        Action::Pause
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if end_of_stream {
            let _ = self.get_http_request_body(0, size);
            let _ = hostcalls::increment_metric(self.counter, 1);
            self.send_http_response(200, vec![("content-type", "application/json")], Some(ANSWER));
        }
        Action::Pause
    }
}

/// Private, so that the function which the SDK's macro writes needs no documentation.
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::Root { counter: 0 }));
    }}
}
