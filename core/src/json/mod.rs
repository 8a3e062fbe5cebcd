//! Reading JSON with places: paths, positions, and one level of a value at a time.
//!
//! A document is read level by level as slices of its own text, so that a value's position is known from where its
//! slice lies, a flag can be compiled and dropped before the next one is read, and memory stays near what the
//! snapshot needs. `serde_json` does all the parsing.

mod entries;
mod locate;
mod path;
mod scan;
mod syntax;

pub(crate) use entries::{Entries, Kind, entries, read, read_key};
pub(crate) use locate::locate;
pub(crate) use path::Path;
pub use path::{JsonPath, Position};
pub(crate) use scan::{Found, Member, Scan, is_space};
pub(crate) use syntax::SyntaxError;
