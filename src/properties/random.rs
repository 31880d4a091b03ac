// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A deterministic generator (xorshift64*, Vigna 2016): the same seed, the same test.

use std::thread;

/// Prints its seed when a test fails.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
    seed: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, seed }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
    }

    /// A number less than `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    /// True once in so many times, on average.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these, at random.
    pub(super) fn of<'a, T>(&mut self, these: &'a [T]) -> &'a T {
        &these[self.below(these.len())]
    }

    /// Brings them into a random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, these: &mut [T]) {
        for at in (1..these.len()).rev() {
            let other = self.below(at + 1);
            these.swap(at, other);
        }
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.seed);
        }
    }
}

/// Makes something of each number below `count`, in order; the processors share the work.
pub(super) fn in_parallel<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let made = |first| (first..count).step_by(threads).map(|n| (n, make(n))).collect::<Vec<_>>();
    let mut made: Vec<(usize, T)> = thread::scope(|scope| {
        let made = &made;
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || made(first))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    made.sort_by_key(|(n, _)| *n);
    made.into_iter().map(|(_, made)| made).collect()
}

/// Makes something of each of so many seeds, in order; the processors share the work.
pub(super) fn each_seed<T: Send>(rounds: usize, make: impl Fn(Random) -> T + Sync) -> Vec<T> {
    in_parallel(rounds, |n| make(Random::new(u64::try_from(n + 1).unwrap())))
}

/// Runs a test with each of so many seeds.
pub(super) fn seeds(rounds: u64, mut test: impl FnMut(&mut Random)) {
    for seed in 1..=rounds {
        test(&mut Random::new(seed));
    }
}
