//! The history on real files: what is kept is found, what is erased or due is gone, and nothing of it can be read.

use secchat_ipc::types::{HistoryPlace, HistoryQuery, KeptText as Shown};
use secchat_ipc::{Reply, UserName as IpcName};

use super::*;
use crate::core::keeping::{HistoryJob, HistoryRequest, Keeping};
use crate::core::record::KeptText;

const DAY: u64 = 86_400;

/// A text of this day, for which anything was agreed.
pub(super) fn kept(peer: &str, id: u64, day: u64, text: &str) -> Record {
    agreed(peer, id, day, u16::MAX, text)
}

fn agreed(peer: &str, id: u64, day: u64, days: u16, text: &str) -> Record {
    let (peer, chat_id, at) = (name(peer), chat_id(50), day * DAY + id);
    let (text, is_own) = (text.to_owned().into(), id.is_multiple_of(2));
    Record::Kept(Box::new(KeptText { peer, chat_id, is_own, id, at, days, order: id, text }))
}

pub(super) fn request(job: HistoryJob, general: u16, now: u64) -> HistoryRequest {
    HistoryRequest { job, keeping: Keeping { general, ..Keeping::default() }, now }
}

fn query() -> HistoryQuery {
    let (peer, search, since, before, after) = (None, None, None, None, None);
    HistoryQuery { peer, search, since, before, newest_first: false, after, most: 100 }
}

fn page(
    keeper: &mut Keeper,
    query: HistoryQuery,
    general: u16,
    now: u64,
) -> (Vec<Shown>, Option<HistoryPlace>) {
    let answer = keeper.history(&request(HistoryJob::Page(query), general, now)).unwrap();
    let Reply::History { texts, next } = answer.reply else { panic!("{answer:?}") };
    (texts, next)
}

/// All that a query finds, page by page.
fn found(keeper: &mut Keeper, mut query: HistoryQuery, general: u16, now: u64) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let (texts, next) = page(keeper, query.clone(), general, now);
        found.extend(texts.into_iter().map(|text| text.text));
        query.after = next;
        if query.after.is_none() {
            return found;
        }
    }
}

pub(super) fn texts(keeper: &mut Keeper, general: u16, now: u64) -> Vec<String> {
    found(keeper, query(), general, now)
}

fn erased(keeper: &mut Keeper, job: HistoryJob, general: u16, now: u64) -> u64 {
    let mut answer = keeper.history(&request(job, general, now)).unwrap();
    let Reply::HistoryErased { texts } = answer.reply else { panic!("{answer:?}") };
    while answer.is_more_to_tidy {
        answer = keeper.history(&request(HistoryJob::Tidy, general, now)).unwrap();
    }
    texts
}

fn bob() -> Option<IpcName> {
    Some(IpcName::parse("bob").unwrap())
}

fn in_file(path: &Path, bytes: &[u8]) -> bool {
    std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn what_is_kept_is_found_by_peer_by_word_and_by_time() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    for round in 0..3 {
        let batch: Vec<Record> = (1..=4)
            .map(|id| {
                kept(
                    if id < 3 { "carol" } else { "bob" },
                    round * 10 + id,
                    100 + round,
                    &format!("Żółw {round} {id}"),
                )
            })
            .collect();
        keeper.write(&changes(&batch)).unwrap();
        if round == 1 {
            keeper = super::keeper(top.path());
            unlock(&mut keeper, &identity);
        }
    }
    let bobs = ["Żółw 0 3", "Żółw 0 4", "Żółw 1 3", "Żółw 1 4", "Żółw 2 3", "Żółw 2 4"];
    let all: Vec<_> = bobs
        .into_iter()
        .map(str::to_owned)
        .chain(bobs.map(|text| text.replace(" 3", " 1").replace(" 4", " 2")))
        .collect();
    let now = 103 * DAY;
    for most in [1, 2, 3, 100] {
        assert_eq!(found(&mut keeper, HistoryQuery { most, ..query() }, u16::MAX, now), all);
        let newest_first = HistoryQuery { peer: bob(), newest_first: true, most, ..query() };
        let backwards: Vec<_> = bobs.iter().rev().map(|text| (*text).to_owned()).collect();
        assert_eq!(found(&mut keeper, newest_first, u16::MAX, now), backwards);
        let search = HistoryQuery { search: Some("żÓŁW 1".to_owned()), most, ..query() };
        assert_eq!(
            found(&mut keeper, search, u16::MAX, now),
            ["Żółw 1 3", "Żółw 1 4", "Żółw 1 1", "Żółw 1 2"]
        );
        let (since, before) = (Some(100 * DAY + 4), Some(102 * DAY));
        let between = HistoryQuery { peer: bob(), since, before, most, ..query() };
        assert_eq!(found(&mut keeper, between, u16::MAX, now), bobs[1..4]);
    }
    let (texts, _) = page(&mut keeper, HistoryQuery { peer: bob(), ..query() }, u16::MAX, now);
    assert_eq!(texts.iter().map(|text| text.is_own).collect::<Vec<_>>(), [false, true].repeat(3));
    assert_eq!(texts[5].at, 102 * DAY + 24);
}

#[test]
fn neither_names_nor_words_can_be_read_and_the_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    let names = |top: &Path| std::fs::read_dir(top).unwrap().count();
    erased(&mut keeper, HistoryJob::Tidy, u16::MAX, 0);
    assert_eq!(names(top.path()), 1, "nothing is made until something is kept");
    keeper.write(&changes(&[kept("carolina", 1, 1, "a secret word")])).unwrap();
    let is_anywhere = |word: &[u8]| {
        std::fs::read_dir(top.path()).unwrap().any(|entry| in_file(&entry.unwrap().path(), word))
    };
    assert!(!is_anywhere(b"carolina") && !is_anywhere(b"a secret word"));
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["a secret word"]);
    drop(keeper);
    assert!(!is_anywhere(b"carolina") && !is_anywhere(b"a secret word"));
    let path = top.path().join(HISTORY_FILE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn what_is_erased_cannot_be_opened_by_anything_on_disk() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    let batch = [kept("bob", 1, 1, "erased"), kept("bob", 2, 2, "newer"), kept("carol", 3, 1, "hers")];
    keeper.write(&changes(&batch)).unwrap();
    erased(&mut keeper, HistoryJob::Tidy, u16::MAX, 0);
    let rows = keeper.file.read().unwrap().rows;
    let store = top.path().join(STORE_FILE);
    let keys: Vec<_> = rows.into_iter().filter(|(_, row)| in_file(&store, row)).collect();
    assert_eq!(keys.len(), 3, "a key for each peer and day");
    let job = HistoryJob::Erase { peer: bob(), before: Some(2 * DAY) };
    assert_eq!(erased(&mut keeper, job, u16::MAX, 0), 1);
    assert_eq!(keys.iter().filter(|(_, row)| in_file(&store, row)).count(), 2, "its key is gone, at once");
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["newer", "hers"]);
    let all = HistoryJob::Erase { peer: None, before: None };
    assert_eq!(erased(&mut keeper, all, u16::MAX, 0), 2);
    assert!(!top.path().join(HISTORY_FILE).exists(), "nothing is left to keep a file for");
    assert!(keeper.file.read().unwrap().rows.is_empty());
    keeper.write(&changes(&[kept("bob", 5, 3, "again")])).unwrap();
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["again"]);
}

#[test]
fn many_erased_texts_are_cleaned_away_bit_by_bit() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    for part in 0..5 {
        let batch: Vec<Record> = (0..2_000).map(|id| kept("bob", part * 2_000 + id, part, "many")).collect();
        keeper.write(&changes(&batch)).unwrap();
        erased(&mut keeper, HistoryJob::Tidy, u16::MAX, 0);
    }
    keeper.write(&changes(&[kept("carol", 1, 1, "hers")])).unwrap();
    let job = HistoryJob::Erase { peer: bob(), before: None };
    let answer = keeper.history(&request(job, u16::MAX, 0)).unwrap();
    assert_eq!(answer.reply, Reply::HistoryErased { texts: 10_000 });
    assert!(answer.is_more_to_tidy);
    // A crash in between: it goes on after the next unlock.
    keeper = super::keeper(top.path());
    assert!(unlock(&mut keeper, &identity).has_history);
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["hers"]);
    let tidy = |keeper: &mut Keeper| keeper.history(&request(HistoryJob::Tidy, u16::MAX, 0)).unwrap();
    while tidy(&mut keeper).is_more_to_tidy {}
    assert_eq!(keeper.file.read().unwrap().rows.len(), 1, "one key, and nothing of what was erased");
}

#[test]
fn a_text_is_kept_for_as_long_as_both_say() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    let batch = [
        agreed("bob", 1, 100, 2, "for two days"),
        agreed("bob", 2, 100, 9, "for nine"),
        agreed("bob", 3, 100, u16::MAX, "for ever"),
    ];
    keeper.write(&changes(&batch)).unwrap();
    let at = |days: u64| (100 + days) * DAY;
    assert_eq!(texts(&mut keeper, u16::MAX, at(2)), ["for two days", "for nine", "for ever"]);
    // To the second, although the key is that of the whole day.
    assert_eq!(texts(&mut keeper, u16::MAX, at(2) + 1), ["for nine", "for ever"]);
    assert_eq!(erased(&mut keeper, HistoryJob::Tidy, u16::MAX, at(3)), 1, "a day is over: its key goes");
    assert_eq!(texts(&mut keeper, 5, at(5)), ["for nine", "for ever"]);
    assert_eq!(erased(&mut keeper, HistoryJob::Tidy, 5, at(4)), 0);
    assert_eq!(erased(&mut keeper, HistoryJob::Tidy, 3, at(4)), 2, "a smaller word counts at once");
    assert_eq!(texts(&mut keeper, u16::MAX, at(4)), [""; 0], "and a greater one brings nothing back");
}

#[test]
fn texts_of_the_time_while_locked_are_kept_too() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    keeper.write(&changes(&[kept("bob", 1, 1, "before")])).unwrap();
    keeper.lock();
    assert!(keeper.history.is_blank());
    keeper.write(&changes(&[kept("bob", 2, 1, "while locked")])).unwrap();
    let job = request(HistoryJob::Page(query()), u16::MAX, 0);
    assert!(matches!(keeper.history(&job), Err(StoreError::Locked)));
    assert!(unlock(&mut keeper, &identity).has_history);
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["before", "while locked"]);
}

#[test]
fn a_damaged_history_is_set_aside_and_the_store_opens() {
    let (top, identity) = (private_tempdir(), identity());
    let path = top.path().join(HISTORY_FILE);
    for (round, damage) in [&b"not a database"[..], &[0; 5_000], &[]].into_iter().enumerate() {
        let mut keeper = keeper(top.path());
        unlock(&mut keeper, &identity);
        keeper.write(&changes(&[kept("bob", 1, 1, "lost"), unread(1, 1, "unread")])).unwrap();
        assert_eq!(texts(&mut keeper, u16::MAX, 0).last().unwrap(), "lost");
        drop(keeper);
        std::fs::write(&path, damage).unwrap();
        let mut keeper = super::keeper(top.path());
        let restored = unlock(&mut keeper, &identity);
        assert_eq!(restored.records.len(), 1);
        let says = |notice: &String| notice.contains("history.redb") && notice.contains("set-aside");
        assert!(restored.notices.iter().any(says) || damage.is_empty(), "{round}: {:?}", restored.notices);
        assert_eq!(texts(&mut keeper, u16::MAX, 0), [""; 0]);
        keeper.write(&changes(&[kept("bob", 2, 1, "goes on")])).unwrap();
        assert_eq!(texts(&mut keeper, u16::MAX, 0), ["goes on"]);
        erased(&mut keeper, HistoryJob::Erase { peer: None, before: None }, u16::MAX, 0);
    }
}

#[test]
fn anothers_history_is_set_aside() {
    let (top, identities) = (private_tempdir(), [identity(), identity()]);
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identities[0]);
    keeper.write(&changes(&[kept("bob", 1, 1, "mine")])).unwrap();
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["mine"]);
    drop(keeper);
    let mut keeper = super::keeper(top.path());
    assert!(!unlock(&mut keeper, &identities[1]).has_history);
    keeper.write(&changes(&[kept("bob", 1, 1, "hers")])).unwrap();
    assert_eq!(texts(&mut keeper, u16::MAX, 0), ["hers"]);
    let names = std::fs::read_dir(top.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("history.redb")).count(), 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    /// Whatever is written, agreed, said and erased: what is found is what a list in memory has.
    #[test]
    fn what_is_found_is_what_should_be_kept(
        texts in proptest::collection::vec((0_usize..3, 100_u64..104, 0_u16..6), 1..24),
        general in 0_u16..6,
        now in 100_u64..108,
        erase in proptest::option::of(100_u64..105),
        most in 1_u16..5,
    ) {
        let (top, identity) = (private_tempdir(), identity());
        let mut keeper = keeper(top.path());
        unlock(&mut keeper, &identity);
        let mut model = Vec::new();
        for (id, (peer, day, days)) in (1_u64..).zip(&texts) {
            let peer = ["bob", "carol", "dave"][*peer];
            let days = if *days == 5 { u16::MAX } else { *days };
            keeper.write(&changes(&[agreed(peer, id, *day, days, &format!("{id}"))])).unwrap();
            model.push((peer, *day, days, id));
        }
        let general = if general == 5 { u16::MAX } else { general };
        if let Some(before) = erase {
            erased(&mut keeper, HistoryJob::Erase { peer: bob(), before: Some(before * DAY) }, u16::MAX, 0);
            model.retain(|(peer, day, ..)| *peer != "bob" || *day >= before);
        }
        model.sort_by_key(|(peer, ..)| *peer);
        let limit = |days: u16| if days.min(general) == u16::MAX { u64::MAX } else { u64::from(days.min(general)) * DAY };
        let is_kept = |(_, day, days, id): &(&str, u64, u16, u64)| {
            limit(*days) != 0 && (day * DAY + id).saturating_add(limit(*days)) > now * DAY
        };
        // Agreed for no days at all is never written; here it is, and is gone all the same.
        let expected: Vec<String> = model.iter().filter(|it| is_kept(it)).map(|it| it.3.to_string()).collect();
        let query = HistoryQuery { most, ..query() };
        proptest::prop_assert_eq!(found(&mut keeper, query, general, now * DAY), expected);
    }
}
