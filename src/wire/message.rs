// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One message: a JSON object with the members that Varlink defines, each at most once.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use crate::call::json::Json;
use crate::call::value::shown;
use crate::call::varlink::{self, Method};

/// One message.
#[derive(Debug)]
pub struct CallMessage {
    /// The method, `io.netbroker.Link.Set`.
    pub method: String,
    /// Its parameters.
    pub parameters: Json,
    /// Whether the caller accepts several replies.
    pub more: bool,
    /// Whether the caller wants no reply.
    pub oneway: bool,
}

impl CallMessage {
    /// Reads the bytes of one message, without the NUL that ends it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json = Json::parse(bytes).map_err(|error| format!("the request is not JSON: {error}"))?;
        let Json::Object(pairs) = json else {
            return Err(format!("the request is {}, expected an object", json.what()));
        };
        let mut members: BTreeMap<String, Json> = BTreeMap::new();
        for (key, value) in pairs {
            if !matches!(key.as_str(), "method" | "parameters" | "more" | "oneway" | "upgrade") {
                return Err(format!("`{}` is not a member of a request", shown(&key)));
            }
            if members.insert(key.clone(), value).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        let mut flag = |name: &str| match members.remove(name) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(truth)) => Ok(truth),
            Some(other) => Err(format!("`{name}` is {}, expected true or false", other.what())),
        };
        let (more, oneway, upgrade) = (flag("more")?, flag("oneway")?, flag("upgrade")?);
        if upgrade {
            return Err("`upgrade` is not supported".to_owned());
        }
        if more && oneway {
            return Err("`more` and `oneway` exclude each other".to_owned());
        }
        let method = match members.remove("method") {
            Some(Json::String(method)) => method,
            Some(other) => return Err(format!("`method` is {}, expected a string", other.what())),
            None => return Err("`method` is missing".to_owned()),
        };
        let parameters = members.remove("parameters").unwrap_or(Json::Null);
        Ok(Self { method, parameters, more, oneway })
    }

    /// The call or the question that the method names.
    #[must_use]
    pub fn method_kind(&self) -> Method {
        varlink::method(&self.method, &self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        CallMessage::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_request_is_read_strictly() {
        assert!(refused("[]").contains("a list, expected an object"));
        assert!(refused("{}").contains("`method` is missing"));
        assert!(refused(r#"{"method":1}"#).contains("a number"));
        assert!(refused(r#"{"method":"a","method":"b"}"#).contains("twice"));
        assert!(refused(r#"{"method":"a","extra":1}"#).contains("`extra` is not a member"));
        assert!(refused(r#"{"method":"a","more":1}"#).contains("expected true or false"));
        assert!(refused(r#"{"method":"a","upgrade":true}"#).contains("is not supported"));
        assert!(refused(r#"{"method":"a"} x"#).contains("is not JSON"));
        assert!(refused(r#"{"method":"a","more":true,"oneway":true}"#).contains("exclude"));
    }

    #[test]
    fn absent_parameters_are_null() {
        let message = CallMessage::parse(br#"{"method":"io.netbroker.Link.Set"}"#).unwrap();
        assert_eq!(message.parameters, Json::Null);
        assert!(matches!(message.method_kind(), Method::Call(call) if call.name == "Link.Set"));
    }

    #[test]
    fn an_unknown_method_has_the_error_that_varlink_defines() {
        let asked = |method: &str| match CallMessage::parse(format!(r#"{{"method":"{method}"}}"#).as_bytes())
            .unwrap()
            .method_kind()
        {
            Method::Unknown(error) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(asked("io.netbroker.Link.Fly").contains("MethodNotFound"));
        assert!(asked("io.netbroker.Bird.Fly").contains("InterfaceNotFound"));
        assert!(asked("Fly").contains("InterfaceNotFound"));
        assert!(asked("org.varlink.service.Fly").contains("MethodNotFound"));
    }
}
