//! The real binary, run as its users run it. One test binary, so that it is linked once.

mod batch;
mod decide;
mod docs;
mod eval;
mod explain;
mod flagd;
mod run;
mod schema;
mod serve;
mod sign;
mod validate;
mod vectors;
