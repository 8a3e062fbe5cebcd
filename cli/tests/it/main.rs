//! The real binary, run as its users run it. One test binary, so that it is linked once.

mod batch;
mod decide;
mod eval;
mod flagd;
mod run;
mod serve;
mod validate;
mod vectors;
