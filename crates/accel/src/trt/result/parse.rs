//! Calls of the ONNX parser.

use std::ffi::{CStr, c_char, c_void};

use super::{Handle, number};
use crate::trt::error::{ParseError, TrtError};
use crate::trt::slots::{Parser, ParserError};
use crate::trt::sys::{text, vcall};

/// More errors than these say nothing new.
const ERRORS_MAX: i32 = 32;

impl Handle<Parser> {
    /// Reads a model; `path` is where files with its weights are looked for. False leaves [`Self::errors`].
    pub fn parse(&self, model: &[u8], path: Option<&CStr>) -> Result<bool, TrtError> {
        let (at, len) = (model.as_ptr().cast::<c_void>(), model.len());
        let path = path.map_or(std::ptr::null(), CStr::as_ptr);
        vcall!(self, parse(at: *const c_void, len: usize, path: *const c_char) -> bool)
    }

    pub fn errors(&self) -> Result<Vec<ParseError>, TrtError> {
        let many = vcall!(self, errors() -> i32)?.clamp(0, ERRORS_MAX);
        (0..many).map(|index| self.error(index)?.read()).collect()
    }

    fn error(&self, index: i32) -> Result<Handle<ParserError>, TrtError> {
        let error = vcall!(self, error(index: i32) -> *mut c_void)?;
        // SAFETY: an error that lives as long as its parser, or null.
        unsafe { Handle::new(error, self.tables(), "reading an error of the parser") }
    }
}

impl Handle<ParserError> {
    fn read(&self) -> Result<ParseError, TrtError> {
        let code = vcall!(self, code() -> i32)?;
        let line = vcall!(self, line() -> i32)?;
        let node = vcall!(self, node() -> i32)?;
        let description = vcall!(self, description() -> *const c_char)?;
        let file = vcall!(self, file() -> *const c_char)?;
        let function = vcall!(self, function() -> *const c_char)?;
        let name = vcall!(self, node_name() -> *const c_char)?;
        let operator = vcall!(self, node_operator() -> *const c_char)?;
        // SAFETY: null, or strings of the error's, which lives as long as its parser.
        let [description, file, function, name, operator] =
            [description, file, function, name, operator].map(|at| unsafe { text(at) });
        let named = !(name.is_empty() && operator.is_empty());
        Ok(ParseError {
            node: u32::try_from(node).ok().filter(|_| named).map(|n| (n, name, operator)),
            description: if description.is_empty() { format!("error {code}") } else { description },
            origin: format!("{file}:{} {function}", number(u32::try_from(line).unwrap_or(0))),
        })
    }
}
