//! Compiling a module once, for any number of VMs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use wasmparser::WasmFeatures;
use wasmtime::{ExternType, InstancePre, Linker};

use crate::caps::{MAX_MODULE_BYTES, MAX_STACK_BYTES};
use crate::error::Error;
use crate::hostcalls;
use crate::limits::RESOLUTION;
use crate::vm::State;

/// The export by which a module says that it speaks the ABI of this host.
const ABI: &str = "proxy_abi_version_0_2_1";

/// What a module may be made of: [Lime1], on which toolchains have agreed, and which Rust, C and Go keep to. What
/// wasmtime offers beyond it stays off: each proposal is code that guests could attack, and most of them (memories
/// without number, threads, garbage collection, exceptions) bring resources that nothing here would bound.
///
/// [Lime1]: https://github.com/WebAssembly/tool-conventions/blob/main/Lime.md
const FEATURES: WasmFeatures = WasmFeatures::LIME1.difference(WasmFeatures::GC_TYPES);

/// Compiles modules, and counts the epochs by which their time is bounded. Clones share one compiler and one thread.
///
/// A process that forks must make its engine afterwards: the thread does not survive the fork.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    linker: Arc<Linker<State>>,
    ticker: Arc<Ticker>,
}

impl Engine {
    /// An engine with a thread of its own, which ends with the last clone and the last module.
    ///
    /// # Errors
    /// [`Error::Compile`] if the machine cannot run WebAssembly, or start the thread.
    pub fn new() -> Result<Self, Error> {
        let failed = |reason: String| Error::Compile { reason };
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        config.max_wasm_stack(MAX_STACK_BYTES);
        // By exclusion, so that what a later wasmtime has on by default is off here.
        config.wasm_features(WasmFeatures::all(), false);
        config.wasm_features(FEATURES, true);
        let wasmtime = wasmtime::Engine::new(&config).map_err(|error| failed(format!("{error:#}")))?;
        let mut linker = Linker::new(&wasmtime);
        hostcalls::define(&mut linker).map_err(|error| failed(format!("{error:#}")))?;
        let ticker = Ticker::start(wasmtime.clone()).map_err(|error| failed(error.to_string()))?;
        Ok(Self { wasmtime, linker: Arc::new(linker), ticker: Arc::new(ticker) })
    }

    /// Compiles a module from its binary, or from its text (WAT).
    ///
    /// # Errors
    /// [`Error::Compile`] if it is not a module, is too long ([`MAX_MODULE_BYTES`]), or uses a proposal that is off:
    /// what is on is [Lime1](https://github.com/WebAssembly/tool-conventions/blob/main/Lime.md). [`Error::Incompatible`] if it does not export the ABI's version or
    /// imports what this host cannot link. A function that this host does not know is linked to a trap that names it.
    pub fn compile(&self, module: &[u8]) -> Result<Module, Error> {
        if module.len() > MAX_MODULE_BYTES {
            let reason = format!("it has {} bytes, and {MAX_MODULE_BYTES} are the most", module.len());
            return Err(Error::Compile { reason });
        }
        let module = wasmtime::Module::new(&self.wasmtime, module)
            .map_err(|error| Error::Compile { reason: format!("{error:#}") })?;
        if module.get_export(ABI).is_none() {
            let reason = match module.exports().find(|export| export.name().starts_with("proxy_abi_version"))
            {
                Some(other) => format!("it exports `{}` where `{ABI}` is needed", other.name()),
                None => format!("it does not export `{ABI}`"),
            };
            return Err(Error::Incompatible { reason });
        }
        let mut linker = Linker::clone(&self.linker);
        hostcalls::define_unknown(&mut linker, &module)?;
        let linked = linker
            .instantiate_pre(&module)
            .map_err(|error| Error::Incompatible { reason: format!("{error:#}") })?;
        Ok(Module { linked, ticker: Arc::clone(&self.ticker) })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// A compiled module. Clones are cheap, and may be sent to other threads; each VM started from one is an instance of
/// its own.
#[derive(Clone)]
pub struct Module {
    pub(crate) linked: InstancePre<State>,
    ticker: Arc<Ticker>,
}

impl Module {
    /// Compiles `module` with an engine of its own: [`Engine::compile`] for one module.
    ///
    /// # Errors
    /// As [`Engine::new`] and [`Engine::compile`].
    pub fn new(module: &[u8]) -> Result<Self, Error> {
        Engine::new()?.compile(module)
    }

    /// What the module needs of a host, each as `module.name type`, sorted: `env.proxy_done () -> i32`.
    pub fn imports(&self) -> BTreeSet<String> {
        let module = self.linked.module();
        module
            .imports()
            .map(|import| format!("{}.{} {}", import.module(), import.name(), describe(&import.ty())))
            .collect()
    }

    /// What a host may call or read, each as `name type`, sorted: `proxy_on_tick (i32)`.
    pub fn exports(&self) -> BTreeSet<String> {
        let module = self.linked.module();
        module.exports().map(|export| format!("{} {}", export.name(), describe(&export.ty()))).collect()
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        self.linked.module().engine()
    }

    /// What keeps the epochs counted for as long as a VM lives.
    pub(crate) fn ticker(&self) -> Arc<Ticker> {
        Arc::clone(&self.ticker)
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("imports", &self.imports()).field("exports", &self.exports()).finish()
    }
}

/// A type as the contract shows it.
fn describe(ty: &ExternType) -> String {
    match ty {
        ExternType::Func(func) => {
            let list = |types: Vec<String>| types.join(", ");
            let params = list(func.params().map(|ty| ty.to_string()).collect());
            let results = list(func.results().map(|ty| ty.to_string()).collect());
            if results.is_empty() { format!("({params})") } else { format!("({params}) -> {results}") }
        }
        ExternType::Memory(_) => "memory".to_owned(),
        ExternType::Global(_) => "global".to_owned(),
        ExternType::Table(_) => "table".to_owned(),
        ExternType::Tag(_) => "tag".to_owned(),
    }
}

/// The thread that counts an engine's epochs.
pub(crate) struct Ticker {
    /// Dropped to end the thread. An option, so that it can be dropped before the thread is joined.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
        let thread = std::thread::Builder::new().name("wasm-epochs".to_owned()).spawn(move || {
            while stopped.recv_timeout(RESOLUTION) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It does nothing but count, so it cannot have panicked; and a drop has nobody to tell.
            let _ended = thread.join();
        }
    }
}
