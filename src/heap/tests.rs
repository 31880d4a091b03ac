// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares the bitmap with a model that is too simple to be wrong, and checks that allocated memory keeps what was
//! written to it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering;

use super::{ARENA, Bitmap, GRANULE, GRANULES, Heap, LARGEST, WORD};

/// xorshift64* (Vigna 2016): the same seed, the same test.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % bound
    }

    /// Mostly small numbers, sometimes large ones.
    fn count(&mut self, most: usize) -> usize {
        let bound = [4, 4, 4, 70, 200, most][self.below(6)];
        1 + self.below(bound.min(most))
    }
}

/// Miri is a thousand times slower.
const STEPS: usize = if cfg!(miri) { 150 } else { 4000 };
const SEEDS: u64 = if cfg!(miri) { 1 } else { 4 };

/// One flag for each granule. Each run is found by looking at all of them.
struct Model {
    taken: Vec<bool>,
    fresh: usize,
}

impl Model {
    fn take(&mut self, count: usize) -> Option<(usize, usize)> {
        let mut free = 0;
        let last = self.taken.iter().position(|taken| {
            free = if *taken { 0 } else { free + 1 };
            free == count
        })?;
        let at = last + 1 - count;
        let fresh = self.fresh;
        self.set(at, at + count);
        Some((at, fresh))
    }

    fn set(&mut self, from: usize, end: usize) {
        self.taken[from..end].fill(true);
        self.fresh = self.fresh.max(end);
    }

    fn resize(&mut self, at: usize, count: usize, wanted: usize) -> bool {
        if wanted <= count {
            self.taken[at + wanted..at + count].fill(false);
            return true;
        }
        let fits = self.taken.get(at + count..at + wanted).is_some_and(|more| !more.contains(&true));
        if fits {
            self.set(at + count, at + wanted);
        }
        fits
    }
}

#[test]
fn the_bitmap_takes_what_a_model_takes() {
    for seed in 1..=SEEDS {
        let mut random = Random(seed);
        let mut bitmap = Bitmap::new();
        let mut model = Model { taken: vec![false; GRANULES], fresh: 0 };
        let mut runs: Vec<(usize, usize)> = Vec::new();
        let mut full = 0;
        for step in 0..STEPS / 4 {
            let nth = random.below(runs.len().max(1));
            match random.below(5) {
                0 | 1 => {
                    let count = random.count(3000);
                    let found = bitmap.take(count);
                    assert_eq!(found, model.take(count), "seed {seed}, step {step}: take {count}");
                    full += usize::from(found.is_none());
                    runs.extend(found.map(|(at, _)| (at, count)));
                }
                2 if !runs.is_empty() => {
                    let ((at, count), wanted) = (runs[nth], random.count(3000));
                    let fits = bitmap.resize(at, count, wanted);
                    assert_eq!(
                        fits,
                        model.resize(at, count, wanted),
                        "seed {seed}, step {step}: {at} {count} {wanted}"
                    );
                    runs[nth].1 = if fits { wanted } else { count };
                }
                3 if !runs.is_empty() => {
                    let (at, count) = runs.swap_remove(nth);
                    assert!(bitmap.free(at, count), "seed {seed}, step {step}: free {at} {count}");
                    model.taken[at..at + count].fill(false);
                }
                _ => continue,
            }
            let is_same = |(word, flags): (&u64, &[bool])| (0..WORD).all(|bit| (word >> bit & 1 == 1) == flags[bit]);
            assert!(bitmap.taken.iter().zip(model.taken.chunks(WORD)).all(is_same), "seed {seed}, step {step}");
        }
        assert!(full > 0 || cfg!(miri), "seed {seed}: it was never full");
    }
}

#[test]
fn a_run_that_is_given_back_twice_or_in_part_before_is_noticed() {
    let mut bitmap = Bitmap::new();
    let (at, _) = bitmap.take(100).unwrap();
    assert!(bitmap.free(at, 100));
    assert!(!bitmap.free(at, 100));
    let (at, _) = bitmap.take(100).unwrap();
    assert!(bitmap.free(at + 99, 1));
    assert!(!bitmap.free(at, 100));
}

/// A heap whose arena is filled with `byte`, and comes from the system's allocator.
struct Own(Heap);

impl Own {
    const LAYOUT: Layout = Layout::new::<Aligned>();

    fn new(byte: u8) -> Self {
        // SAFETY: the size is not 0.
        let arena = unsafe { System.alloc(Self::LAYOUT) };
        assert!(!arena.is_null());
        // SAFETY: the allocation has this size.
        unsafe { arena.write_bytes(byte, ARENA) };
        let heap = Heap::new();
        heap.arena.store(arena, Ordering::Release);
        Self(heap)
    }

    fn holds(&self, memory: *mut u8) -> bool {
        self.0.granule(memory).is_some()
    }
}

#[repr(align(4096))]
struct Aligned(#[allow(dead_code, reason = "its size is what counts")] [u8; ARENA]);

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: this is the memory of `new`, and everything that was taken from it was freed.
        unsafe { System.dealloc(self.0.arena.load(Ordering::Acquire), Self::LAYOUT) };
    }
}

/// Allocated memory, and the byte that it is filled with.
struct Piece {
    memory: *mut u8,
    layout: Layout,
    byte: u8,
}

impl Piece {
    fn new(heap: &Heap, layout: Layout, byte: u8, zeroed: bool) -> Self {
        // SAFETY: no size here is 0.
        let memory = if zeroed { unsafe { heap.alloc_zeroed(layout) } } else { unsafe { heap.alloc(layout) } };
        assert_eq!(memory.addr() % layout.align(), 0);
        let mut piece = Self { memory, layout, byte };
        if zeroed {
            assert!(piece.bytes().iter().all(|byte| *byte == 0), "{layout:?}");
        }
        piece.fill(0);
        piece
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the allocation has this length. If another one overlapped it, the comparisons here would show it.
        unsafe { std::slice::from_raw_parts_mut(self.memory, self.layout.size()) }
    }

    fn fill(&mut self, from: usize) {
        let byte = self.byte;
        self.bytes()[from..].fill(byte);
    }

    fn check(&mut self) {
        let byte = self.byte;
        assert!(self.bytes().iter().all(|found| *found == byte), "{:?} of {byte}", self.layout);
    }

    fn resize(&mut self, heap: &Heap, size: usize) {
        // SAFETY: this is the layout that it was allocated with, or last resized to.
        self.memory = unsafe { heap.realloc(self.memory, self.layout, size) };
        let before = self.layout.size();
        self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
        let byte = self.byte;
        assert!(self.bytes()[..before.min(size)].iter().all(|found| *found == byte), "{:?}", self.layout);
        self.fill(before.min(size));
    }

    fn free(mut self, heap: &Heap) {
        self.check();
        // SAFETY: as for `resize`.
        unsafe { heap.dealloc(self.memory, self.layout) };
    }
}

/// Takes, resizes and frees at random, and checks the content of each piece.
fn exercise(heap: &Heap, seed: u64) {
    let mut random = Random(seed);
    let mut pieces: Vec<Piece> = Vec::new();
    for step in 0..STEPS {
        let nth = random.below(pieces.len().max(1));
        let size = match random.below(40) {
            0 if !cfg!(miri) && step % 50 == 0 => 1 + random.below(2 * LARGEST),
            1..4 if !cfg!(miri) => random.count(20_000),
            _ => random.count(600),
        };
        match random.below(if pieces.len() > 300 { 8 } else { 5 }) {
            0..3 => {
                let layout = Layout::from_size_align(size, 1 << random.below(8)).unwrap();
                let byte = u8::try_from(step % 251).unwrap();
                pieces.push(Piece::new(heap, layout, byte, random.below(2) == 0));
            }
            3 if !pieces.is_empty() => pieces[nth].resize(heap, size),
            _ if !pieces.is_empty() => pieces.swap_remove(nth).free(heap),
            _ => {}
        }
    }
    pieces.into_iter().for_each(|piece| piece.free(heap));
}

#[test]
fn every_piece_keeps_what_was_written_to_it() {
    for seed in 1..=SEEDS {
        let own = Own::new(0);
        exercise(&own.0, seed);
        assert_eq!(own.0.bitmap().next(0, true), GRANULES, "seed {seed}: something was not given back");
    }
}

#[test]
fn threads_share_a_heap() {
    let own = Own::new(0);
    let heap = &own.0;
    std::thread::scope(|scope| {
        for seed in 1..=3 {
            scope.spawn(move || exercise(heap, seed));
        }
    });
    assert_eq!(heap.bitmap().next(0, true), GRANULES);
}

#[test]
fn a_heap_without_an_arena_uses_the_systems_allocator() {
    exercise(&Heap::new(), 1);
}

#[test]
fn what_is_too_large_or_too_strictly_aligned_is_of_the_systems_allocator_and_moves_when_it_fits() {
    let own = Own::new(0);
    for (size, align, is_own) in
        [(1, 1, true), (LARGEST, 8, true), (1, GRANULE, true), (1, 2 * GRANULE, false), (LARGEST + 1, 1, false)]
    {
        let piece = Piece::new(&own.0, Layout::from_size_align(size, align).unwrap(), 7, false);
        assert_eq!(own.holds(piece.memory), is_own, "{size} {align}");
        piece.free(&own.0);
    }
    let mut piece = Piece::new(&own.0, Layout::array::<u8>(1000).unwrap(), 7, false);
    let first = piece.memory;
    piece.resize(&own.0, 2000);
    assert_eq!(piece.memory, first, "nothing is behind it");
    let next = Piece::new(&own.0, Layout::array::<u8>(100).unwrap(), 8, false);
    piece.resize(&own.0, 3000);
    assert!(own.holds(piece.memory) && piece.memory != first);
    piece.resize(&own.0, LARGEST + 1);
    assert!(!own.holds(piece.memory));
    next.free(&own.0);
    piece.free(&own.0);
}

/// Memory that the kernel has mapped and nothing has touched is zero and takes no pages, so a receive buffer costs only
/// what arrives.
#[test]
fn fresh_memory_is_not_written_to() {
    let own = Own::new(0xaa);
    let heap = &own.0;
    let small = Piece::new(heap, Layout::array::<u8>(100).unwrap(), 1, false);
    let layout = Layout::array::<u8>(1000).unwrap();
    // SAFETY: the size is not 0.
    let fresh = unsafe { heap.alloc_zeroed(layout) };
    // SAFETY: the allocation has this length.
    assert!(unsafe { std::slice::from_raw_parts(fresh, 1000) }.iter().all(|byte| *byte == 0xaa));
    // SAFETY: it is freed with the layout that it was allocated with.
    unsafe { heap.dealloc(fresh, layout) };
    small.free(heap);
    // This much was in use before, so it is zeroed, and no more than that.
    // SAFETY: the size is not 0.
    let both = unsafe { heap.alloc_zeroed(Layout::array::<u8>(2000).unwrap()) };
    // SAFETY: the allocation has this length.
    let bytes = unsafe { std::slice::from_raw_parts(both, 2000) };
    assert_eq!(bytes.iter().position(|byte| *byte != 0), Some(128 + 1024));
    assert!(bytes[128 + 1024..].iter().all(|byte| *byte == 0xaa));
    // SAFETY: it is freed with the layout that it was allocated with.
    unsafe { heap.dealloc(both, Layout::array::<u8>(2000).unwrap()) };
}

#[cfg(not(miri))] // Miri supports neither fork nor guard pages
mod processes {
    use super::super::{or_exit, take_from_arena_only, when_memory_ends};
    use super::*;
    use nix::sys::signal::Signal;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};

    /// How a process ends that does only this.
    fn end(of: impl FnOnce()) -> WaitStatus {
        // SAFETY: the child takes no lock that another thread may hold, and uses no allocator but its own.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => waitpid(child, None).unwrap(),
            ForkResult::Child => {
                of();
                crate::sys::exit_now(0)
            }
        }
    }

    fn status(end: WaitStatus) -> i32 {
        let WaitStatus::Exited(_, status) = end else { panic!("{end:?}") };
        status
    }

    #[test]
    fn a_process_that_exhausts_the_arena_ends_with_the_status_that_was_set() {
        let heap = Heap::new();
        heap.prepare();
        let (page, large) = (Layout::array::<u8>(4096).unwrap(), Layout::array::<u8>(LARGEST + 1).unwrap());
        let systems = Piece::new(&heap, large, 9, false);
        let Piece { memory, .. } = systems;
        let ends = |of: &dyn Fn()| {
            status(end(|| {
                when_memory_ends(74, false);
                take_from_arena_only();
                of();
            }))
        };
        // SAFETY: no size here is 0.
        let take = |layout| assert!(!unsafe { heap.alloc(layout) }.is_null());
        assert_eq!(ends(&|| (0..ARENA / 4096).for_each(|_| take(page))), 0);
        assert_eq!(ends(&|| (0..=ARENA / 4096).for_each(|_| take(page))), 74);
        assert_eq!(ends(&|| take(large)), 74);
        // Memory that the system's allocator gave before moves into the arena when it is resized, and is kept when it
        // is freed.
        // SAFETY: this is its layout, in each process.
        assert_eq!(ends(&|| assert!(heap.granule(unsafe { heap.realloc(memory, large, 100) }).is_some())), 0);
        // SAFETY: as above.
        assert_eq!(ends(&|| unsafe { heap.dealloc(memory, large) }), 0);
        systems.free(&heap);
    }

    #[test]
    fn the_end_of_memory_has_the_status_that_was_set() {
        let ends = |status_of: Option<u8>| {
            status(end(|| {
                status_of.into_iter().for_each(|status| when_memory_ends(status, false));
                or_exit(std::ptr::null_mut());
            }))
        };
        assert_eq!((ends(None), ends(Some(74))), (71, 74));
    }

    #[test]
    fn what_runs_over_either_end_of_the_arena_or_is_given_back_twice_ends_the_process() {
        let heap = Heap::new();
        heap.prepare();
        let arena = heap.arena.load(Ordering::Acquire);
        for at in [arena.wrapping_sub(1), arena.wrapping_add(ARENA), arena.wrapping_add(ARENA + 65_535)] {
            // SAFETY: none; the test shows that this ends the process.
            let ended = end(|| unsafe { at.write_volatile(1) });
            assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGSEGV, _)), "{ended:?}");
        }
        for at in [arena, arena.wrapping_add(ARENA - 1)] {
            // SAFETY: both are in the arena, and nothing of it was taken.
            assert_eq!(status(end(|| unsafe { at.write_volatile(1) })), 0);
        }
        let ended = end(|| {
            let layout = Layout::array::<u8>(100).unwrap();
            // SAFETY: the size is not 0.
            let memory = unsafe { heap.alloc(layout) };
            for _ in 0..2 {
                // SAFETY: none for the second time, which is what is shown.
                unsafe { heap.dealloc(memory, layout) };
            }
        });
        assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGABRT, _)), "{ended:?}");
    }

    #[test]
    fn each_arena_is_somewhere_else() {
        let places: Vec<usize> = (0..4).map(|_| crate::sys::map_apart(ARENA).unwrap().addr()).collect();
        for (nth, place) in places.iter().enumerate() {
            let far = |other: &usize| place.abs_diff(*other) > 1 << 28;
            assert!(places[..nth].iter().all(far), "{places:x?}");
        }
    }
}
