//! The plugin as the proxy calls it.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::exchange::Exchange;
use crate::host::{self, Buffer, LogLevel};
use crate::plugin::Plugin;
use crate::serving::Serving;

/// One plugin configuration in one VM.
#[derive(Default)]
pub(crate) struct Root {
    plugin: Option<Plugin>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, _: usize, _: usize) {
        #[cfg(feature = "trap")]
        crate::trap::if_asked(&host::headers(host::Map::CalloutResponse));
        if let Some(plugin) = &mut self.plugin {
            plugin.answered(token, headers);
        }
    }

    fn on_done(&mut self) -> bool {
        if let Some(plugin) = &mut self.plugin {
            plugin.done();
        }
        true
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        match Plugin::new(&host::buffer(Buffer::PluginConfiguration)) {
            Ok(plugin) => {
                self.plugin = Some(plugin);
                true
            }
            Err(reason) => {
                host::log(LogLevel::Critical, &reason);
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &mut self.plugin {
            plugin.tick();
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        if let Some(plugin) = &mut self.plugin {
            plugin.woken(queue);
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        // The SDK panics on None, and a proxy sends no request to a plugin that it was refused.
        let serving = self.plugin.as_ref().map_or_else(|| Rc::new(Serving::without_plugin()), Plugin::serve);
        Some(Box::new(Exchange::new(serving)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
