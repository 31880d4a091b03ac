// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The heap of `netbroker`: an arena that is mapped once, before the first filter. The allocator of musl maps and
//! unmaps a page for nearly every string, and each of these system calls costs more than the string.
//!
//! A bitmap outside the arena holds which granules of it are taken, so the allocator trusts nothing that is in freed
//! memory. The arena is far from everything else: its address reveals nothing of where the program or its stack is, and
//! pages without access are before and after it. An allocation that does not fit comes from the allocator of the C
//! library, until [`take_from_arena_only`].
//!
//! In musl that is mallocng. Where `RLIMIT_DATA` forbids its mmap(2), it falls back to mprotect(2), which the last
//! filter does not allow. The process then ends by SIGSYS, with nothing changed.
#![allow(unsafe_code)]

#[cfg(test)]
mod tests;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys;

/// The size of the arena, in bytes. A page that is never written to takes no memory.
const ARENA: usize = 512 * 1024;
/// The largest allocation from the arena, in bytes: a receive buffer of netlink. Larger ones are for a request of
/// unusual length, a caller in tens of thousands of groups or a long answer. They would leave too little for the last
/// stage.
const LARGEST: usize = 128 * 1024;
/// The unit in which the arena is taken and freed, in bytes. It is also the strictest alignment that the arena serves.
const GRANULE: usize = 32;
const GRANULES: usize = ARENA / GRANULE;
/// The number of bits in a word of the bitmap.
const WORD: usize = 64;

/// The exit status for running out of memory, and in the highest bit whether a line reports it.
static WITHOUT_MEMORY: AtomicU8 = AtomicU8::new(71);
/// The bit of [`WITHOUT_MEMORY`] for the line.
const SAYS_SO: u8 = 0x80;
/// Whether all memory must come from the arena.
static ARENA_ONLY: AtomicBool = AtomicBool::new(false);

/// From now on, running out of memory ends the process with this status, and if it `says_so`, with a line on descriptor
/// 2.
pub fn when_memory_ends(status: u8, says_so: bool) {
    WITHOUT_MEMORY.store(status | if says_so { SAYS_SO } else { 0 }, Ordering::Relaxed);
}

/// From now on, all memory comes from the arena, and memory from elsewhere is kept until the process ends. A filter
/// that is installed next need not allow a system call for memory.
pub fn take_from_arena_only() {
    ARENA_ONLY.store(true, Ordering::Relaxed);
}

fn is_arena_only() -> bool {
    ARENA_ONLY.load(Ordering::Relaxed)
}

/// Returns `memory`, or ends the process with an exit status where it is null. The standard library would abort
/// instead: that is a signal, and under a filter another signal.
fn or_exit(memory: *mut u8) -> *mut u8 {
    const LINE: &str = "netbroker: out of memory\n";
    if !memory.is_null() {
        return memory;
    }
    let how = WITHOUT_MEMORY.load(Ordering::Relaxed);
    if how & SAYS_SO != 0 {
        let _unheard = nix::unistd::write(sys::stderr(), LINE.as_bytes());
    }
    sys::exit_now(how & !SAYS_SO)
}

/// Which granules of the arena are taken. This is safe code, but an error in it would give out memory twice. So the
/// tests compare it with a model.
#[derive(Debug)]
struct Bitmap {
    taken: [u64; GRANULES / WORD],
    /// All granules before this one are taken.
    low: usize,
    /// Neither this granule nor one after it was ever taken: they still hold the kernel's zeros.
    fresh: usize,
}

impl Bitmap {
    const fn new() -> Self {
        Self { taken: [0; GRANULES / WORD], low: 0, fresh: 0 }
    }

    /// The first granule from `at` on that is taken, or that is free; `GRANULES` where there is no such granule. Looks for
    /// a taken one only where one ever was: to look at all words cost more than all else that the heap does.
    fn next(&self, at: usize, taken: bool) -> usize {
        let words = if taken { self.fresh.div_ceil(WORD) } else { self.taken.len() };
        let mut wanted = u64::MAX << (at % WORD);
        for (nth, word) in self.taken.iter().enumerate().take(words).skip(at / WORD) {
            let found = wanted & if taken { *word } else { !*word };
            if found != 0 {
                return nth * WORD + found.trailing_zeros().try_into().unwrap_or(0);
            }
            wanted = u64::MAX;
        }
        GRANULES
    }

    fn mark(&mut self, at: usize, end: usize, taken: bool) {
        for (nth, word) in self.taken.iter_mut().enumerate().take(end.div_ceil(WORD)).skip(at / WORD) {
            let (first, after) = (at.saturating_sub(nth * WORD), (end - nth * WORD).min(WORD));
            let bits = (u64::MAX << first) & (u64::MAX >> (WORD - after));
            *word = if taken { *word | bits } else { *word & !bits };
        }
        self.low = if taken && at == self.low { end } else { self.low.min(at) };
        if taken {
            self.fresh = self.fresh.max(end);
        }
    }

    /// Takes the first run of `count` free granules. Returns its position, and `fresh` as it was before.
    fn take(&mut self, count: usize) -> Option<(usize, usize)> {
        let mut at = self.next(self.low, false);
        self.low = at;
        loop {
            let end = at.checked_add(count).filter(|end| *end <= GRANULES)?;
            let obstacle = self.next(at, true);
            if obstacle >= end {
                let fresh = self.fresh;
                self.mark(at, end, true);
                return Some((at, fresh));
            }
            at = self.next(obstacle, false);
        }
    }

    /// Makes a run longer or shorter in place. Returns `false` where what follows is not free.
    fn resize(&mut self, at: usize, count: usize, wanted: usize) -> bool {
        let Some(end) = at.checked_add(wanted).filter(|end| *end <= GRANULES) else { return false };
        if wanted < count {
            self.mark(end, at + count, false);
        } else if wanted > count {
            if self.next(at + count, true) < end {
                return false;
            }
            self.mark(at + count, end, true);
        }
        true
    }

    /// Frees a run. Returns whether all of it was taken.
    fn free(&mut self, at: usize, count: usize) -> bool {
        let was_taken = self.next(at, false) >= at + count;
        self.mark(at, at + count, false);
        was_taken
    }
}

/// The allocator. Before [`Heap::prepare`] it uses that of the C library.
#[derive(Debug)]
pub struct Heap {
    /// Null before it is mapped.
    arena: AtomicPtr<u8>,
    /// On Linux a mutex allocates nothing. It is never contended: the program has one thread.
    bitmap: Mutex<Bitmap>,
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Heap {
    /// A heap without an arena.
    #[must_use]
    pub const fn new() -> Self {
        Self { arena: AtomicPtr::new(ptr::null_mut()), bitmap: Mutex::new(Bitmap::new()) }
    }

    /// Maps the arena. Where that fails, the process ends, because the last filters of some calls rely on the arena.
    pub fn prepare(&self) {
        let arena = or_exit(sys::map_apart(ARENA).unwrap_or(ptr::null_mut()));
        // At its first use, the allocator of the C library requests random bytes (glibc) or maps a page at an address
        // that it chooses (musl). No filter allows that, so it is used now.
        std::hint::black_box(Box::leak(Box::new(0_u8)));
        self.arena.store(arena, Ordering::Release);
    }

    fn bitmap(&self) -> MutexGuard<'_, Bitmap> {
        self.bitmap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The granule that an address is in, if it is in the arena.
    fn granule(&self, memory: *mut u8) -> Option<usize> {
        let arena = self.arena.load(Ordering::Acquire);
        let offset = memory.addr().checked_sub(arena.addr()).filter(|offset| *offset < ARENA && !arena.is_null())?;
        Some(offset / GRANULE)
    }

    /// Takes memory from the arena. Also returns how many bytes of it may have been in use before, and are not zero
    /// then.
    fn take(&self, layout: Layout) -> Option<(*mut u8, usize)> {
        let arena = self.arena.load(Ordering::Acquire);
        if arena.is_null() || layout.align() > GRANULE || layout.size() > LARGEST {
            return None;
        }
        let (at, fresh) = self.bitmap().take(granules(layout.size()))?;
        // SAFETY: the bitmap has a bit for each granule of the arena and no more, so the sum stays in the arena.
        let memory = unsafe { arena.add(at * GRANULE) };
        Some((memory, layout.size().min(fresh.saturating_sub(at) * GRANULE)))
    }
}

/// The number of granules that hold so many bytes.
const fn granules(bytes: usize) -> usize {
    bytes.div_ceil(GRANULE)
}

// SAFETY: memory of the arena is a run of granules that were free and are marked as taken until they are freed, so no
// other allocation gets them. It begins at a multiple of `GRANULE` from the start of a page; stricter alignments go to
// `System`. Memory that is not from the arena goes back to `System`, from which it came. `GlobalAlloc` permits null but
// does not require it: the process ends in its place. Nothing unwinds.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some((memory, _)) => memory,
            None if is_arena_only() => or_exit(ptr::null_mut()),
            // SAFETY: the caller vouches for the layout.
            None => or_exit(unsafe { System.alloc(layout) }),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some((memory, used)) => {
                // SAFETY: `used` is not more than the size of this memory, which nobody else has.
                unsafe { memory.write_bytes(0, used) };
                memory
            }
            None if is_arena_only() => or_exit(ptr::null_mut()),
            // SAFETY: the caller vouches for the layout.
            None => or_exit(unsafe { System.alloc_zeroed(layout) }),
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        match self.granule(memory) {
            Some(at) if bytes <= LARGEST && self.bitmap().resize(at, granules(layout.size()), granules(bytes)) => {
                return memory;
            }
            None if !is_arena_only() => {
                // SAFETY: this memory is from `System`; the caller vouches for the layout and the size.
                return or_exit(unsafe { System.realloc(memory, layout, bytes) });
            }
            _ => {}
        }
        let Ok(wanted) = Layout::from_size_align(bytes, layout.align()) else { return or_exit(ptr::null_mut()) };
        // SAFETY: the caller vouches that `bytes` is not 0.
        let moved = unsafe { self.alloc(wanted) };
        // SAFETY: both are as long as is copied, and `moved` is memory that nobody had.
        unsafe { ptr::copy_nonoverlapping(memory, moved, layout.size().min(bytes)) };
        // SAFETY: the caller vouches for memory of this layout, and has no more use for it.
        unsafe { self.dealloc(memory, layout) };
        moved
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match self.granule(memory) {
            Some(at) if self.bitmap().free(at, granules(layout.size())) => {}
            Some(_) => std::process::abort(), // it was freed before, so another allocation may have it
            None if is_arena_only() => {}
            // SAFETY: this memory is from `System`; the caller vouches for the layout.
            None => unsafe { System.dealloc(memory, layout) },
        }
    }
}
