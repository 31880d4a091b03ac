// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every declared call and kind has an example request, which the policy of the tests permits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::calls::{EXAMPLES_ON_OTHER_KERNELS, examples};

#[test]
fn every_call_and_kind_has_an_example_that_parses() {
    for example in examples().iter().chain(EXAMPLES_ON_OTHER_KERNELS) {
        let json = netbroker::call::json::Json::parse(example.parameters.as_bytes()).unwrap();
        let parsed = netbroker::call::request::Request::parse(example.call(), &json, common::ALICE);
        assert!(parsed.is_ok(), "{}: {}: {:?}", example.call, example.parameters, parsed.err());
    }
}
