//! A document on its way into force, in slices: the worker that compiles it serves requests between them.

use turquoise_core::{Compilation, CompileError, CompileOptions, Settings, Snapshot};

use crate::host;
use crate::shared::{Meta, Shared};

/// How long a slice takes, in microseconds: how long a request may have to wait for one.
const SLICE_MICROSECONDS: u64 = 1000;

/// How much is compiled between two looks at the clock, in bytes.
const STEP_BYTES: usize = 8 << 10;

/// Of larger documents, problems are told without line and column: finding those takes longer than a request should wait.
/// `turquoise validate` has them.
const MOST_WITH_POSITIONS: usize = 64 << 10;

/// A document that is being fetched from shared data, or compiled.
pub(crate) struct Job {
    /// What will be known of the document once it is in force.
    pub(crate) meta: Meta,
    /// Whether it came from the source: then all VMs shall have it.
    pub(crate) is_new: bool,
    stage: Stage,
}

enum Stage {
    /// The pieces so far.
    Gathering {
        document: Vec<u8>,
        pieces: usize,
    },
    Compiling(Box<Compilation<'static>>),
    /// Nothing is left to do.
    Over,
}

/// How far a job has come.
pub(crate) enum Progress {
    UnderWay,
    /// The proxy has another document by now.
    Lost,
    Over(Box<Result<Snapshot, CompileError>>),
}

impl Job {
    /// Compiles what the source sent.
    pub(crate) fn of_source(
        document: Vec<u8>,
        meta: Meta,
        settings: &Settings,
    ) -> Result<Self, CompileError> {
        let options = options(settings, document.len());
        let compilation = Compilation::new(document, options)?;
        Ok(Self { meta, is_new: true, stage: Stage::Compiling(Box::new(compilation)) })
    }

    /// Takes over what the proxy has.
    pub(crate) fn of_shared(meta: Meta) -> Self {
        Self { meta, is_new: false, stage: Stage::Gathering { document: Vec::new(), pieces: 0 } }
    }

    /// Works for a slice of time.
    pub(crate) fn slice(&mut self, shared: &Shared, settings: &Settings) -> Progress {
        let start = host::now_microseconds();
        loop {
            match self.step(shared, settings) {
                Progress::UnderWay => {}
                end => return end,
            }
            // A clock that was set back ends the slice, too.
            if !(start..start.saturating_add(SLICE_MICROSECONDS)).contains(&host::now_microseconds()) {
                return Progress::UnderWay;
            }
        }
    }

    fn step(&mut self, shared: &Shared, settings: &Settings) -> Progress {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Gathering { mut document, pieces } => {
                if document.is_empty() {
                    document.reserve_exact(self.meta.length);
                }
                let Some(piece) = shared.piece(&self.meta, pieces) else { return Progress::Lost };
                document.extend_from_slice(&piece);
                self.stage = if document.len() < self.meta.length && !piece.is_empty() {
                    Stage::Gathering { document, pieces: pieces + 1 }
                } else {
                    match Compilation::new(document, options(settings, self.meta.length)) {
                        Ok(compilation) => Stage::Compiling(Box::new(compilation)),
                        Err(error) => return Progress::Over(Box::new(Err(error))),
                    }
                };
                Progress::UnderWay
            }
            Stage::Compiling(mut compilation) => {
                if compilation.advance(STEP_BYTES) {
                    return Progress::Over(Box::new(compilation.finish()));
                }
                self.stage = Stage::Compiling(compilation);
                Progress::UnderWay
            }
            Stage::Over => Progress::Lost,
        }
    }
}

/// What a document of so many bytes may do under a configuration.
pub(crate) fn options(settings: &Settings, bytes: usize) -> CompileOptions<'_> {
    CompileOptions {
        upstreams: settings.upstreams.as_deref(),
        without_positions: bytes > MOST_WITH_POSITIONS,
    }
}
