//! Compiling with pauses.
//!
//! A proxy's worker serves requests on the thread that compiles, and a document of some megabytes takes longer to
//! compile than any request should wait. So it is read in slices: first where its sections lie, then flag by flag, then
//! route by route. Whoever has time takes all in one slice.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use super::route::{Indexing, Reading};
use super::{CompileOptions, Compiler, root_of, text_of};
use crate::json::{Found, Kind, Member, Path, Scan, is_space, read, read_key};
use crate::problem::CompileError;
use crate::snapshot::Snapshot;

/// How many bytes can be looked at in the time in which one is compiled, roughly.
const SCANNED_PER_COMPILED: usize = 16;

/// How many bytes can be looked at in the time in which a route is put into the index, roughly.
const INDEXED: usize = 64 * SCANNED_PER_COMPILED;

/// How many bytes can be looked at in the time in which a flag in use, or one that it asks for, is looked at, roughly.
const ASKED: usize = 16 * SCANNED_PER_COMPILED;

/// A document that is being compiled, a slice at a time.
///
/// ```
/// # use turquoise_core::{Compilation, CompileOptions};
/// let document = br#"{ "flags": { "a": { "state": "ENABLED", "variants": { "on": true } } } }"#;
/// let mut compilation = Compilation::new(document.as_slice(), CompileOptions::default()).unwrap();
/// while !compilation.advance(16) {
///     // Serve requests.
/// }
/// assert!(compilation.finish().unwrap().flag("a").is_some());
/// ```
pub struct Compilation<'a> {
    text: Cow<'a, str>,
    compiler: Compiler,
    stage: Stage,
    /// Something was found that no JSON has.
    broken: bool,
    /// The hash of what was read, and how many bytes those are.
    hash: Box<Xxh3>,
    hashed: usize,
}

#[derive(Debug)]
enum Stage {
    /// Where the sections lie.
    Sections {
        scan: Scan,
        found: Vec<Member>,
    },
    /// The flags, with the section of routes that is still to be read.
    Flags {
        scan: Scan,
        count: usize,
        routes: Option<Range<usize>>,
    },
    Routes {
        scan: Scan,
        reading: Reading,
    },
    /// What the flags that routes use rest on.
    InUse(Reading),
    /// Routes on their way into the index.
    Index(Indexing),
    Read,
}

impl<'a> Compilation<'a> {
    /// Begins, with little more than a look at whether the document is text.
    ///
    /// # Errors
    /// When it is too large or not UTF-8.
    pub fn new(
        document: impl Into<Cow<'a, [u8]>>,
        options: CompileOptions<'_>,
    ) -> Result<Self, CompileError> {
        let text = text_of(document.into())?;
        let stage = Stage::Sections { scan: Scan::at(0), found: Vec::new() };
        Ok(Self {
            compiler: Compiler::new(text.len(), options),
            text,
            stage,
            broken: false,
            hash: Box::default(),
            hashed: 0,
        })
    }

    /// Reads about so many bytes more; a flag, a route and any other section is read whole. Whether all is read.
    pub fn advance(&mut self, bytes: usize) -> bool {
        let mut budget = bytes.saturating_mul(SCANNED_PER_COMPILED);
        let end = self.hashed.saturating_add(budget).min(self.text.len());
        self.hash.update(self.text.as_bytes().get(self.hashed..end).unwrap_or_default());
        self.hashed = end;
        while budget > 0 && !matches!(self.stage, Stage::Read) {
            let text = &*self.text;
            let next = match &mut self.stage {
                Stage::Sections { scan, found } => {
                    sections(&mut self.compiler, text, scan, found, &mut budget)
                }
                Stage::Flags { scan, count, routes } => {
                    flags(&mut self.compiler, text, scan, count, routes, &mut budget)
                }
                Stage::Routes { scan, reading } => {
                    routes(&mut self.compiler, text, scan, reading, &mut budget)
                }
                Stage::InUse(reading) => in_use(&mut self.compiler, reading, &mut budget),
                Stage::Index(indexing) => {
                    budget = budget.saturating_sub(INDEXED);
                    Ok(if self.compiler.index_route(indexing) { None } else { Some(Stage::Read) })
                }
                Stage::Read => break,
            };
            match next {
                // It is refused already.
                Ok(_) if self.compiler.budget.is_over() => self.stage = Stage::Read,
                Ok(Some(stage)) => self.stage = stage,
                Ok(None) => {}
                Err(Broken) => {
                    self.broken = true;
                    self.stage = Stage::Read;
                }
            }
        }
        matches!(self.stage, Stage::Read) && self.hashed == self.text.len()
    }

    /// The snapshot; what is not read yet is read now.
    ///
    /// # Errors
    /// As [`Snapshot::compile_with`].
    pub fn finish(self) -> Result<Snapshot, CompileError> {
        self.finish_with_document().0
    }

    /// [`Compilation::finish`], and the document.
    pub fn finish_with_document(mut self) -> (Result<Snapshot, CompileError>, Cow<'a, str>) {
        while !self.advance(usize::MAX) {}
        let Self { text, compiler, broken, hash, .. } = self;
        if (broken || compiler.doubtful)
            // It says where and why better than what looks at single members.
            && let Err(error) = root_of(&text)
        {
            return (Err(error), text);
        }
        if broken {
            return (Err(CompileError::of("not JSON".to_owned(), None)), text);
        }
        (compiler.finish(&text, hash.digest()), text)
    }
}

/// What was read is no JSON.
struct Broken;

/// The next stage, if this one is over.
type Next = Result<Option<Stage>, Broken>;

fn sections(
    compiler: &mut Compiler,
    text: &str,
    scan: &mut Scan,
    found: &mut Vec<Member>,
    budget: &mut usize,
) -> Next {
    let start = text.bytes().take_while(|byte| is_space(*byte)).count();
    if text.as_bytes().get(start) != Some(&b'{') {
        compiler.doubtful = true;
        let kind = Kind::of_text(text.get(start..).unwrap_or_default());
        compiler.problems.refuse(&Path::Root, format!("a document is an object, this is {kind}"));
        return Ok(Some(Stage::Read));
    }
    match scan.step(text, budget) {
        Found::Pause => Ok(None),
        Found::Broken => Err(Broken),
        Found::Member(member) => {
            found.push(member);
            compiler.has_room_for_sections(found.len());
            Ok(None)
        }
        Found::End(end) if text.bytes().skip(end).any(|byte| !is_space(byte)) => Err(Broken),
        Found::End(_) => begin(compiler, text, found).map(Some),
    }
}

/// Reads every section but flags and routes. Of one that stands twice, the last counts.
fn begin(compiler: &mut Compiler, text: &str, found: &[Member]) -> Result<Stage, Broken> {
    let root = Path::Root;
    let (mut metadata, mut evaluators, mut flags, mut routes) = (None, None, None, None);
    for Member { key, value } in found {
        let key = key.clone().and_then(|key| text.get(key)).unwrap_or_default();
        let key = read_key(key).map_err(|_| Broken)?;
        let section = match &*key {
            "metadata" => &mut metadata,
            "$evaluators" => &mut evaluators,
            "flags" => &mut flags,
            "routes" => &mut routes,
            key => {
                compiler.unknown_section(key);
                check(text, value)?;
                continue;
            }
        };
        if let Some(earlier) = section.replace(value.clone()) {
            check(text, &earlier)?;
        }
    }
    if let Some(raw) = metadata.and_then(|range| text.get(range)) {
        compiler.set_metadata(raw, &root.key("metadata"));
    }
    if let Some(raw) = evaluators.and_then(|range| text.get(range)) {
        let raw = read::<&RawValue>(raw).map_err(|_| Broken)?;
        compiler.evaluators(raw, &root.key("$evaluators"));
    }
    let path = root.key("flags");
    let Some(flags) = flags else {
        compiler.problems.refuse(&root, "`flags` is missing: an object with a flag for each key");
        return Ok(after_flags(compiler, text, routes));
    };
    if !is_level(text, &flags) {
        let kind = Kind::of_text(text.get(flags.clone()).unwrap_or_default());
        let message = format!("must be an object of flags by key, or an array of flags, this is {kind}");
        compiler.problems.refuse(&path, message);
        check(text, &flags)?;
        return Ok(after_flags(compiler, text, routes));
    }
    Ok(Stage::Flags { scan: Scan::at(flags.start), count: 0, routes })
}

/// Looks whether what is not read otherwise is JSON.
fn check(text: &str, value: &Range<usize>) -> Result<(), Broken> {
    match read::<IgnoredAny>(text.get(value.clone()).unwrap_or_default()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Broken),
    }
}

fn is_level(text: &str, value: &Range<usize>) -> bool {
    matches!(text.as_bytes().get(value.start), Some(b'{' | b'['))
}

fn flags(
    compiler: &mut Compiler,
    text: &str,
    scan: &mut Scan,
    count: &mut usize,
    routes: &mut Option<Range<usize>>,
    budget: &mut usize,
) -> Next {
    let path = Path::Root.key("flags");
    match scan.step(text, budget) {
        Found::Pause => Ok(None),
        Found::Broken => Err(Broken),
        Found::Member(Member { key, value }) => {
            *budget = budget.saturating_sub(value.len().saturating_mul(SCANNED_PER_COMPILED));
            let value = text.get(value).unwrap_or_default();
            match key {
                Some(key) => {
                    let key = read_key(text.get(key).unwrap_or_default()).map_err(|_| Broken)?;
                    compiler.flag_text(&key, value, &path.key(&key));
                }
                None => compiler.flag_item(value, &path.index(*count)),
            }
            *count += 1;
            Ok(None)
        }
        Found::End(_) => Ok(Some(after_flags(compiler, text, routes.take()))),
    }
}

fn after_flags(compiler: &mut Compiler, text: &str, routes: Option<Range<usize>>) -> Stage {
    compiler.unused_evaluators(&Path::Root.key("$evaluators"));
    compiler.prerequisites(&Path::Root.key("flags"));
    let Some(routes) = routes else { return Stage::Read };
    if text.as_bytes().get(routes.start) != Some(&b'[') {
        let raw = text.get(routes).unwrap_or_default();
        compiler.doubtful |= read::<IgnoredAny>(raw).is_err();
        let message = format!("must be an array of routes, this is {}", Kind::of_text(raw));
        compiler.problems.refuse(&Path::Root.key("routes"), message);
        return Stage::Read;
    }
    Stage::Routes { scan: Scan::at(routes.start), reading: Reading::default() }
}

fn routes(
    compiler: &mut Compiler,
    text: &str,
    scan: &mut Scan,
    reading: &mut Reading,
    budget: &mut usize,
) -> Next {
    let path = Path::Root.key("routes");
    match scan.step(text, budget) {
        Found::Pause => Ok(None),
        Found::Broken => Err(Broken),
        Found::Member(Member { value, .. }) => {
            *budget = budget.saturating_sub(value.len().saturating_mul(SCANNED_PER_COMPILED));
            compiler.route_item(text.get(value).unwrap_or_default(), reading, &path);
            Ok(None)
        }
        Found::End(_) => Ok(Some(Stage::InUse(std::mem::take(reading)))),
    }
}

/// Looks at what the next flag in use asks for.
fn in_use(compiler: &mut Compiler, reading: &mut Reading, budget: &mut usize) -> Next {
    let Some(asked) = compiler.next_in_use() else {
        return Ok(Some(Stage::Index(std::mem::take(reading).into())));
    };
    *budget = budget.saturating_sub(asked.saturating_add(1).saturating_mul(ASKED));
    Ok(None)
}
