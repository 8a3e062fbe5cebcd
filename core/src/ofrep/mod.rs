//! OpenFeature's remote evaluation protocol (OFREP 0.3.0): what is asked, who may ask, and the answers.
//!
//! Whoever serves it (the filter) brings requests and bodies and sends what comes back; nothing of the protocol is
//! decided elsewhere. docs/reference/ofrep.md says what clients see.

mod access;
mod answer;
mod body;
mod endpoint;
mod etag;
mod evaluation;
mod limits;
mod overlay;
mod service;

pub use answer::Answer;
pub use endpoint::Endpoint;
pub use evaluation::{write_evaluation, write_flag_header};
pub use limits::{MAX_ANSWER_BYTES, MAX_FLAG_HEADER_BYTES, header_warning, size_warnings};
pub use service::{Asked, Service};
