//! A document on its way into force, in slices: the worker that compiles it serves requests between them.

use turquoise_core::feed::DocumentRecord;
use turquoise_core::{Compilation, CompileOptions, DocumentDigest, Settings, Snapshot, Source, Validity};

use crate::host;
use crate::shared::Shared;
use crate::trust::{self, Refusal};

/// How long a slice of a large document takes, in microseconds. A request may have to wait for one, and where there are
/// fewer processors than workers for those of other workers.
const SLICE_MICROSECONDS: u64 = 300;

/// How long it takes for others: most of them are in force after one.
const SLICE_OF_SMALL_MICROSECONDS: u64 = 1000;

/// How long it takes in a VM that serves no requests.
const LONG_SLICE_MICROSECONDS: u64 = 10_000;

/// How much is compiled between two looks at the clock, in bytes.
const STEP_BYTES: usize = 4 << 10;

/// What is not large, in bytes. Of large documents, problems are told without line and column: finding those takes longer
/// than a request should wait. `turquoise validate` has them.
const MOST_OF_SMALL: usize = 64 << 10;

/// No more memory than this is asked for at once, whatever length is told.
const MOST_RESERVED: usize = 64 << 20;

/// A document that is being fetched from shared data, or compiled.
pub(crate) struct Job {
    /// What will be known of the document once it is in force.
    pub(crate) record: DocumentRecord,
    /// Whether it came from the source: then all VMs shall have it.
    pub(crate) is_new: bool,
    /// The generation that the proxy had when it came, if it had one.
    pub(crate) before: Option<u64>,
    /// The time that it took so far, in microseconds.
    pub(crate) spent: u64,
    /// What the source sent, once it is compiled.
    pub(crate) document: Vec<u8>,
    /// Its digest and until when that holds, where this VM has looked at it.
    pub(crate) verified: Option<(DocumentDigest, Validity)>,
    stage: Stage,
}

enum Stage {
    /// What was read of it so far, and from how many pieces.
    Gathering {
        document: Vec<u8>,
        pieces: u32,
    },
    Gathered(Vec<u8>),
    Compiling(Box<Compilation<'static>>),
    /// Nothing is left to do.
    Over,
}

/// Where a job is done.
pub(crate) struct Circumstances<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) settings: &'a Settings,
    pub(crate) source: &'a Source,
    /// When the newest document was signed that this VM believed.
    pub(crate) newest: Option<Validity>,
    /// What is in force.
    pub(crate) like: &'a Snapshot,
    /// Whether this VM serves requests.
    pub(crate) serves: bool,
}

/// How far a job has come.
pub(crate) enum Progress {
    UnderWay,
    /// The proxy has another document by now.
    Lost,
    Over(Box<Result<Snapshot, Refusal>>),
}

impl Job {
    /// Compiles what the source sent and may be trusted.
    pub(crate) fn of_source(
        document: Vec<u8>,
        verified: Option<(DocumentDigest, Validity)>,
        record: DocumentRecord,
        before: Option<u64>,
    ) -> Self {
        Self {
            verified,
            record,
            is_new: true,
            before,
            spent: 0,
            document: Vec::new(),
            stage: Stage::Gathered(document),
        }
    }

    /// Takes over what the proxy has.
    pub(crate) fn of_shared(record: DocumentRecord) -> Self {
        let stage =
            Stage::Gathering { document: Vec::with_capacity(record.length.min(MOST_RESERVED)), pieces: 0 };
        let (spent, document) = (0, Vec::new());
        Self { record, is_new: false, before: None, spent, document, verified: None, stage }
    }

    /// Works for a slice of time, a short one where it makes requests wait.
    pub(crate) fn slice(&mut self, circumstances: &Circumstances<'_>) -> Progress {
        let slice = match circumstances.serves {
            false => LONG_SLICE_MICROSECONDS,
            true if self.record.length > MOST_OF_SMALL => SLICE_MICROSECONDS,
            true => SLICE_OF_SMALL_MICROSECONDS,
        };
        let start = host::now_microseconds();
        loop {
            let progress = match self.step(circumstances) {
                Ok(progress) => progress,
                Err(refusal) => Progress::Over(Box::new(Err(refusal))),
            };
            // A clock that was set back ends the slice, too.
            let now = host::now_microseconds();
            if !matches!(progress, Progress::UnderWay) || !(start..start.saturating_add(slice)).contains(&now)
            {
                self.spent = self.spent.saturating_add(now.saturating_sub(start));
                return progress;
            }
        }
    }

    fn step(&mut self, circumstances: &Circumstances<'_>) -> Result<Progress, Refusal> {
        let Circumstances { shared, settings, source, like, newest, .. } = *circumstances;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Gathering { mut document, pieces } => {
                let Some(piece) = shared.piece(&self.record, pieces) else { return Ok(Progress::Lost) };
                document.extend_from_slice(&piece);
                if document.len() < self.record.length && !piece.is_empty() {
                    Stage::Gathering { document, pieces: pieces + 1 }
                } else {
                    self.verified = trust::still(source, &self.record.provenance, &document, newest)?;
                    Stage::Gathered(document)
                }
            }
            Stage::Gathered(document) => {
                #[cfg(feature = "trap")]
                crate::trap::if_compiled(&document, self.is_new);
                let options = options(settings, document.len(), Some(like));
                let compilation = Compilation::new(document, options).map_err(|error| Refusal::of(&error))?;
                Stage::Compiling(Box::new(compilation))
            }
            Stage::Compiling(mut compilation) => {
                if compilation.advance(STEP_BYTES) {
                    let (result, document) = compilation.finish_with_document();
                    if self.is_new {
                        self.document = document.into_owned().into_bytes();
                    }
                    let result = result.map_err(|error| Refusal::of(&error));
                    return Ok(Progress::Over(Box::new(result)));
                }
                Stage::Compiling(compilation)
            }
            Stage::Over => return Ok(Progress::Lost),
        };
        Ok(Progress::UnderWay)
    }
}

/// How a document of so many bytes is compiled under a configuration, where `like` is in force.
pub(crate) fn options<'a>(
    settings: &'a Settings,
    bytes: usize,
    like: Option<&'a Snapshot>,
) -> CompileOptions<'a> {
    CompileOptions {
        upstreams: settings.upstreams.as_deref(),
        without_positions: bytes > MOST_OF_SMALL,
        like,
    }
}
