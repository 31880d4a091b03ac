// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps the elements of a listing.

use netbroker::netlink::Elements;
use netbroker::refusal::Refusal;

/// Takes the elements of a listing, in the pieces in which they arrive.
#[derive(Debug, Default)]
pub struct Listed(pub Vec<String>);

impl Elements for Listed {
    fn push(&mut self, elements: String) -> Result<String, Refusal> {
        self.0.push(elements);
        Ok(String::new())
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn forget(&mut self, count: usize) -> bool {
        self.0.truncate(count);
        true
    }
}
