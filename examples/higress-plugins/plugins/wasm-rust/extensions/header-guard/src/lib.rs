// SPDX-License-Identifier: Apache-2.0

//! Answer 403 on named paths and where a denied header is sent.

use std::rc::Rc;

use path_rules::Rules;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde_json::Value;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Guard::default()));
}}

#[derive(Default)]
struct Guard {
    rules: Rc<Rules>,
}

fn texts(configuration: &Value, key: &str) -> Result<Vec<String>, String> {
    let Some(value) = configuration.get(key) else {
        return Ok(Vec::new());
    };
    let wrong = || format!("`{key}` is not a list of texts");
    let entries = value.as_array().ok_or_else(wrong)?;
    entries
        .iter()
        .map(|each| each.as_str().map(String::from).ok_or_else(wrong))
        .collect()
}

fn parse(text: &[u8]) -> Result<Rules, String> {
    let configuration: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    Ok(Rules::new(
        texts(&configuration, "blocked")?,
        texts(&configuration, "denied_headers")?,
    ))
}

impl Context for Guard {}

impl RootContext for Guard {
    fn on_configure(&mut self, _size: usize) -> bool {
        match parse(&self.get_plugin_configuration().unwrap_or_default()) {
            Ok(rules) => {
                self.rules = Rc::new(rules);
                true
            }
            Err(reason) => {
                log::warn!("header-guard cannot use its configuration: {reason}");
                false
            }
        }
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request {
            rules: Rc::clone(&self.rules),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request {
    rules: Rc<Rules>,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let target = self.get_http_request_header(":path").unwrap_or_default();
        let denied = self
            .rules
            .headers()
            .any(|name| self.get_http_request_header(name).is_some());
        if !denied && !self.rules.names_path(&target) {
            return Action::Continue;
        }
        self.send_http_response(403, vec![], Some(b"blocked"));
        Action::Pause
    }
}
