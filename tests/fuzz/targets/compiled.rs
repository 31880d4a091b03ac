// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A damaged compiled policy; the sound one is a small policy of this target. The first byte of the input chooses:
//!
//! * accidents: one burst of at most 32 bits, the file cut or longer, two places exchanged. Whatever decision comes of
//!   it is the decision of the sound file, or none.
//! * forgery: bytes changed at will and every checksum set right again. A CRC is no defence against people, so any
//!   decision may come of it, but no crash, no endless loop and no use of memory without bounds.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use netbroker::call::needs::Profile;
use netbroker::call::{self, request::Request};
use netbroker::caller::Caller;
use netbroker::policy::Decision;
use netbroker::policy::compile::compile;
use netbroker::policy::compiled::{Compiled, Damage, Settings};
use netbroker::policy::diagnostics::Source;
use netbroker_fuzz::requests::{json, parse};

/// Bytes of the header, and of an entry of the directory or of the slots; the last four are a CRC.
const HEADER: usize = 64;
const ENTRY: usize = 20;

const POLICY: &str = r#"
[[allow]]
id = "routers"
who = ["uid:64100", "gid:2000"]
call = ["Netns.Add", "Link.Set"]
netns = "qrouter-*"
link = ["qr-*", "lo"]
mtu = "1280..1500"

[[deny]]
id = "uplinks"
who = ["*", "!gid:2001"]
call = "@change"
touches = { netns = "@host", link = "eth*" }
"#;

type Answer = std::result::Result<(Decision, Profile, Settings), Damage>;

struct Sound {
    bytes: Vec<u8>,
    questions: Vec<(Caller, Request)>,
    answers: Vec<Answer>,
}

static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let source = Source { name: "10.toml".to_owned(), text: POLICY.to_owned() };
    let bytes = compile(&[source], &|_| Ok(None)).expect("it is sound").write().expect("it is small");
    let questions = questions();
    let answers = answers(&bytes, &questions);
    assert!(answers.iter().all(Answer::is_ok));
    Sound { bytes, questions, answers }
});

/// Requests that are permitted, out of range, denied, and of a call without rules; by callers whom the rules name or do
/// not name.
fn questions() -> Vec<(Caller, Request)> {
    let asked = [
        ("Link.Set", serde_json::json!({"netns": "qrouter-1", "link": "qr-1", "mtu": 1400})),
        ("Link.Set", serde_json::json!({"netns": "qrouter-1", "link": "qr-1", "mtu": 9000})),
        ("Link.Set", serde_json::json!({"netns": "@host", "link": "eth0", "mtu": 1400})),
        ("Netns.Add", serde_json::json!({"netns": "qrouter-1"})),
        ("Address.List", serde_json::json!({"netns": "qrouter-1"})),
    ];
    let callers = [(64100, vec![]), (1000, vec![2000, 2001]), (0, vec![])];
    let all = callers.map(|(uid, groups)| Caller { uid, gid: uid, groups });
    let of = |caller: &Caller, (name, with): &(&str, serde_json::Value)| {
        let request = parse(call::by_name(name).expect("a call"), &json(with), caller);
        (caller.clone(), request.expect("it is sound"))
    };
    all.iter().flat_map(|caller| asked.iter().map(move |asked| of(caller, asked))).collect()
}

/// Decides as the broker would.
fn answers(bytes: &[u8], questions: &[(Caller, Request)]) -> Vec<Answer> {
    let answer = |(caller, request): &(Caller, Request)| {
        let compiled = Compiled::open(bytes.to_vec())?;
        let verdict = compiled.judge(caller, request.clone())?;
        Ok((verdict.decision().clone(), compiled.profile(caller)?, compiled.settings()))
    };
    questions.iter().map(answer).collect()
}

/// What happens to files. A CRC-32 detects every burst of up to 32 bits, and every entry at another place.
fn accident(input: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    match input.int_in_range(0..=3)? {
        0 => bytes.truncate(input.choose_index(bytes.len())?),
        1 => bytes.extend(input.bytes(input.len().min(64))?),
        2 => {
            let entries = (bytes.len() - HEADER) / ENTRY;
            let [one, other] =
                [input.choose_index(entries)?, input.choose_index(entries)?].map(|at| HEADER + at * ENTRY);
            (0..ENTRY).for_each(|at| bytes.swap(one + at, other + at));
        }
        _ => {
            let at = input.choose_index(bytes.len() - 3)?;
            let burst: [u8; 4] = input.arbitrary()?;
            bytes[at..].iter_mut().zip(burst).for_each(|(byte, flip)| *byte ^= flip);
        }
    }
    Ok(())
}

/// Changes some bytes, then corrects the checksums of everything that can be found.
fn forgery(input: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    while !input.is_empty() {
        let at = input.choose_index(bytes.len())?;
        bytes[at] = input.arbitrary()?;
        if input.ratio(1, 16)? {
            bytes.resize(input.int_in_range(HEADER..=4 * bytes.len())?.min(1 << 16), 0);
        }
    }
    let length = bytes.len();
    bytes[8..16].copy_from_slice(&(length as u64).to_le_bytes());
    seal(bytes, 0, HEADER, &[]);
    let tables = u16::from_le_bytes([bytes[52], bytes[53]]);
    for table in 0..tables.min(64) {
        let at = HEADER + usize::from(table) * ENTRY;
        seal(bytes, at, ENTRY, &table.to_le_bytes());
        let Some(entry) = bytes.get(at..at + 16) else { break };
        let number = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().expect("eight bytes"));
        let (slots_at, slots) = (number(0), number(8));
        for slot in 0..slots.min(256) {
            let Some(at) = usize::try_from(slots_at).ok().and_then(|at| at.checked_add(slot as usize * ENTRY)) else {
                break;
            };
            seal_block(bytes, at, table);
            seal(bytes, at, ENTRY, &[&table.to_le_bytes()[..], &slot.to_le_bytes()].concat());
        }
    }
    Ok(())
}

/// The block that a slot points at.
fn seal_block(bytes: &mut [u8], slot: usize, table: u16) {
    let Some(entry) = slot.checked_add(16).and_then(|end| bytes.get(slot..end)) else { return };
    let number = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().expect("four bytes")) as usize;
    let place = [&table.to_le_bytes()[..], &[entry[0], 0, 0, 0], &entry[4..8]].concat();
    let (at, length) = (number(8), number(12));
    seal(bytes, at, length, &place);
}

/// Corrects the CRC in the last four of these bytes, if there are so many.
fn seal(bytes: &mut [u8], at: usize, length: usize, place: &[u8]) {
    let Some(record) = at.checked_add(length).and_then(|end| bytes.get_mut(at..end)) else { return };
    let Some((covered, sum)) = record.split_last_chunk_mut::<4>() else { return };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(place);
    hasher.update(covered);
    *sum = hasher.finalize().to_le_bytes();
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Sound { bytes, questions, answers: sound } = &*SOUND;
    let mut input = Unstructured::new(input);
    let mut damaged = bytes.clone();
    let Ok(forged) = input.arbitrary() else { return Corpus::Reject };
    let done = if forged { forgery(&mut input, &mut damaged) } else { accident(&mut input, &mut damaged) };
    if done.is_err() {
        return Corpus::Reject;
    }
    for (damaged, sound) in answers(&damaged, questions).iter().zip(sound) {
        assert!(forged || damaged.is_err() || damaged == sound, "{damaged:?} for {sound:?}");
    }
    Corpus::Keep
});
