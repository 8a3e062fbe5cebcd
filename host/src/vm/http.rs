//! Callbacks of HTTP contexts: the two halves of an exchange, and its end.

use wasmtime::TypedFunc;

use super::Vm;
use super::root::length;
use crate::abi::Action;
use crate::error::Error;
use crate::stream::HttpStream;

impl Vm {
    /// Makes an HTTP context under a root context, for one exchange.
    ///
    /// # Errors
    /// [`Error::Misuse`] if there is no such root context, [`Error::Exhausted`] if there are too many HTTP contexts, and
    /// those that any callback may return.
    pub fn create_http(&mut self, root: u32, stream: Box<dyn HttpStream>) -> Result<u32, Error> {
        self.expect_alive("proxy_on_context_create")?;
        self.expect_root("proxy_on_context_create", root)?;
        let context = self.store.data_mut().contexts.add_http(root, stream)?;
        let function = self.exports.context_create.clone();
        if let Err(error) = self.call("proxy_on_context_create", context, function, (context, root)) {
            // Nobody else knows its number.
            self.store.data_mut().contexts.https.remove(&context);
            return Err(error);
        }
        self.delete_finished()?;
        Ok(context)
    }

    /// The request's headers are there: `count` of them, and nothing else if `end_of_stream`.
    ///
    /// # Errors
    /// [`Error::Misuse`] if there is no such HTTP context, and those that any callback may return.
    pub fn on_request_headers(
        &mut self,
        context: u32,
        count: usize,
        end_of_stream: bool,
    ) -> Result<Action, Error> {
        let function = self.exports.request_headers.clone();
        let params = (context, length(count), u32::from(end_of_stream));
        self.stream_callback("proxy_on_request_headers", context, function, params)
    }

    /// `size` bytes of the request's body are there, and nothing follows if `end_of_stream`.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn on_request_body(
        &mut self,
        context: u32,
        size: usize,
        end_of_stream: bool,
    ) -> Result<Action, Error> {
        let function = self.exports.request_body.clone();
        let params = (context, length(size), u32::from(end_of_stream));
        self.stream_callback("proxy_on_request_body", context, function, params)
    }

    /// The request's trailers are there, `count` of them.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn on_request_trailers(&mut self, context: u32, count: usize) -> Result<Action, Error> {
        let function = self.exports.request_trailers.clone();
        self.stream_callback("proxy_on_request_trailers", context, function, (context, length(count)))
    }

    /// The response's headers are there: `count` of them, and nothing else if `end_of_stream`.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn on_response_headers(
        &mut self,
        context: u32,
        count: usize,
        end_of_stream: bool,
    ) -> Result<Action, Error> {
        let function = self.exports.response_headers.clone();
        let params = (context, length(count), u32::from(end_of_stream));
        self.stream_callback("proxy_on_response_headers", context, function, params)
    }

    /// `size` bytes of the response's body are there, and nothing follows if `end_of_stream`.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn on_response_body(
        &mut self,
        context: u32,
        size: usize,
        end_of_stream: bool,
    ) -> Result<Action, Error> {
        let function = self.exports.response_body.clone();
        let params = (context, length(size), u32::from(end_of_stream));
        self.stream_callback("proxy_on_response_body", context, function, params)
    }

    /// The response's trailers are there, `count` of them.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn on_response_trailers(&mut self, context: u32, count: usize) -> Result<Action, Error> {
        let function = self.exports.response_trailers.clone();
        self.stream_callback("proxy_on_response_trailers", context, function, (context, length(count)))
    }

    /// The exchange is over and can be logged; its headers can be read once more.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn on_log(&mut self, context: u32) -> Result<(), Error> {
        self.expect_http("proxy_on_log", context)?;
        let function = self.exports.log.clone();
        self.call("proxy_on_log", context, function, context)?;
        self.delete_finished()
    }

    /// Ends an HTTP context: `proxy_on_done`, whose answer counts only for root contexts, and `proxy_on_delete`.
    /// The context and its stream are gone afterwards, even if a callback fails.
    ///
    /// # Errors
    /// As [`on_request_headers`](Self::on_request_headers).
    pub fn delete_http(&mut self, context: u32) -> Result<(), Error> {
        self.expect_http("proxy_on_delete", context)?;
        let done = self.exports.done.clone();
        let mut ended = self.call("proxy_on_done", context, done, context).map(|_| ());
        if ended.is_ok() {
            let delete = self.exports.delete.clone();
            ended = self.call("proxy_on_delete", context, delete, context).map(|_| ());
        }
        self.store.data_mut().contexts.https.remove(&context);
        ended?;
        self.delete_finished()
    }

    fn stream_callback<P: wasmtime::WasmParams>(
        &mut self,
        callback: &'static str,
        context: u32,
        function: Option<TypedFunc<P, u32>>,
        params: P,
    ) -> Result<Action, Error> {
        self.expect_http(callback, context)?;
        let answer = self.call(callback, context, function, params)?;
        let stop = self.store.data().stop;
        self.delete_finished()?;
        Ok(match answer {
            None => Action::Continue,
            Some(0) if !stop => Action::Continue,
            // An unknown answer pauses, as in Envoy.
            Some(_) => Action::Pause,
        })
    }

    /// Goes on numbering contexts from `last`, as if so many had come and gone.
    #[cfg(test)]
    pub(crate) fn count_contexts_from(&mut self, last: u32) {
        self.store.data_mut().contexts.count_from(last);
    }

    fn expect_http(&self, what: &str, context: u32) -> Result<(), Error> {
        if self.store.data().contexts.https.contains_key(&context) {
            return Ok(());
        }
        Err(Error::misuse(format!("`{what}` is for an HTTP context, and {context} is none")))
    }
}
