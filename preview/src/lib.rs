//! Turquoise's rules for browsers and Node: JSON text in, JSON text out; `js/index.js` makes an API of it.
//!
//! Numbers, the order of keys and errors then are what they are in the proxy. The clock is JavaScript's.

mod decision;

use serde_json::{Value, json};
use turquoise_core::{
    Bindings, CompileError, CompileOptions, Context, Problem, Scratch, Settings, Snapshot, Timestamp, ofrep,
};
use wasm_bindgen::prelude::*;

/// A document that was compiled, for a proxy with a certain plugin configuration.
#[wasm_bindgen]
pub struct Compiled {
    outcome: Result<Snapshot, CompileError>,
    bindings: Bindings,
    settings: Settings,
}

#[wasm_bindgen]
impl Compiled {
    /// Compiles a document.
    #[wasm_bindgen(constructor)]
    pub fn new(document: &str, config: &str) -> Result<Self, JsError> {
        let settings = Settings::parse(config.as_bytes())?;
        let options =
            CompileOptions { upstreams: settings.upstreams.as_deref(), ..CompileOptions::default() };
        let outcome = Snapshot::compile_with(document.as_bytes(), options);
        let bindings = outcome.as_ref().map(|snapshot| Bindings::new(snapshot, &settings.context));
        Ok(Self { bindings: bindings.unwrap_or_default(), outcome, settings })
    }

    /// What is wrong with the document; `refusal` is null unless that refuses it.
    pub fn report(&self) -> String {
        let (refusal, problems) = match &self.outcome {
            Ok(snapshot) => (None, snapshot.problems()),
            Err(error) => (Some(error.to_string()), &*error.problems),
        };
        let problems: Vec<_> = problems.iter().map(problem).collect();
        json!({ "refusal": refusal, "problems": problems }).to_string()
    }

    /// OFREP's response object for a flag; `now` in milliseconds since 1970.
    pub fn evaluate(&self, flag: &str, context: &str, now: f64) -> Result<String, JsError> {
        let snapshot = self.outcome.as_ref().map_err(CompileError::clone)?;
        let context = Context::new(serde_json::from_str(context)?);
        let evaluation = snapshot.evaluate(flag, &context, Timestamp(now as u64), &mut Scratch::default());
        let mut answer = String::new();
        ofrep::write_evaluation(&mut answer, snapshot, flag, &evaluation);
        Ok(answer)
    }

    /// Why a flag has the value it has.
    pub fn explain(&self, flag: &str, context: &str, now: f64) -> Result<String, JsError> {
        let snapshot = self.outcome.as_ref().map_err(CompileError::clone)?;
        let context = Context::new(serde_json::from_str(context)?);
        Ok(json!(snapshot.explain(flag, &context, Timestamp(now as u64))).to_string())
    }

    /// The decision on a request, and why where `explain` asks for it.
    pub fn decide(&self, request: &str, now: f64, explain: bool) -> Result<String, JsError> {
        let snapshot = self.outcome.as_ref().map_err(CompileError::clone)?;
        let request = serde_json::from_str(request)?;
        Ok(decision::of(snapshot, self, request, now, explain).to_string())
    }
}

fn problem(problem: &Problem) -> Value {
    let severity = format!("{:?}", problem.severity).to_lowercase();
    let (line, column) = problem.position.map(|position| (position.line, position.column)).unzip();
    let (path, message) = (problem.path.to_string(), &problem.message);
    json!({ "severity": severity, "path": path, "line": line, "column": column, "message": message })
}
