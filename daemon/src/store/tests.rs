//! The store on real files: what is written comes back, and nothing of it can be read or moved.

mod faults;
mod history;

use secchat_ipc::types::{Message, Policy, QuietHours};
use secchat_proto::UserName;
use secchat_proto::chat::{SavedChat, SavedEnd, Side};
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::handshake::ChatContext;
use secchat_proto::wire::chat_record::EndReason;
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::request::{RequestToTalk, Terms};

use super::*;
use crate::convert::chat_id_to_ipc;
use crate::core::record::{
    KeptAnswer, SavedConsent, SavedConsumer, SavedPeer, SavedQueued, SavedQuiet, SavedRequest, SavedSettings,
    Word,
};
use crate::permissions::private_tempdir;

fn name(text: &str) -> UserName {
    UserName::parse(text.as_bytes()).unwrap()
}

fn chat_id(n: u8) -> ChatId {
    ChatId::from_bytes([n; 16]).unwrap()
}

fn identity() -> SigningKey {
    SigningKey::generate_ed25519(&mut OsEntropy).unwrap()
}

fn request(n: u8) -> RequestToTalk {
    let (issued, expires) = (1_800_000_000, 1_800_000_600);
    RequestToTalk { chat_id: chat_id(n), issued, expires, terms: Terms::UNLIMITED, signature: vec![n; 64] }
}

fn chat(n: u8, last_sent: u64) -> Record {
    let key = identity().public_key().clone();
    Record::Chat(Box::new(SavedChat {
        side: Side::Initiator,
        context: ChatContext {
            initiator: (name("alice"), key.clone()),
            responder: (name("bob"), key),
            request: request(n),
        },
        granted: Terms { until: 1_900_000_000, history_days: 7 },
        root: seal::random_key().unwrap(),
        has_opened: true,
        last_sent,
        acknowledged: 1,
        held: 4,
        end: SavedEnd { own: Some(EndReason::Person), peer: Some(false), is_told: true, give_up_at: Some(9) },
    }))
}

fn unread(n: u8, id: u64, text: &str) -> Record {
    let (peer, chat) = (secchat_ipc::UserName::parse("bob").unwrap(), chat_id(n));
    let message = Message { peer, chat_id: chat_id_to_ipc(chat), id, received: 5, text: text.to_owned() };
    Record::Unread(chat, message)
}

fn event(number: u64, text: &str) -> Record {
    let Record::Unread(_, message) = unread(50, number, text) else { panic!() };
    Record::Event(number, secchat_ipc::Event::MessageReceived(message))
}

fn queued(id: u64, sent: Option<(ChatId, u64)>) -> Record {
    let text = if sent.is_none() { "left for bob" } else { "" };
    let (peer, text) = (name("bob"), text.to_owned());
    Record::Queued(Box::new(SavedQueued { id, peer, queued: 5, expires: 9, sent, text }))
}

/// One record of every kind.
fn every_kind() -> Vec<Record> {
    let key = identity().public_key().clone();
    let peer = SavedPeer {
        pin: Some(key.clone()),
        verified: true,
        followed: false,
        policy: Some(Policy::Refuse),
        blocked: true,
    };
    let answers = [
        KeptAnswer::Refused,
        KeptAnswer::RefusedQuietly,
        KeptAnswer::Accepted(Terms::UNLIMITED),
        KeptAnswer::Accepted(Terms { until: 7, history_days: 3 }),
        KeptAnswer::Spent,
        KeptAnswer::Withdrawn,
        KeptAnswer::Pending,
        KeptAnswer::Later,
    ];
    let requests = answers.into_iter().zip(1..).map(|(answer, n)| {
        let (peer, request, key) = (name("carol"), request(n), key.clone());
        Record::Request(Box::new(SavedRequest { peer, request, key, received: 1, answered: 2, answer }))
    });
    let mut records: Vec<Record> = requests.collect();
    records.extend([
        Record::Settings(SavedSettings { policy: Some(Policy::Accept), newest_crl_seen: 17 }),
        Record::Peer(name("bob"), peer),
        Record::Peer(name("7"), SavedPeer::default()),
        Record::Stale(name("dave"), 3),
        Record::Asked(name("erin"), request(40)),
        chat(50, 3),
        Record::Sent(chat_id(50), 2, "on its way".to_owned()),
        unread(50, 4, "a secret word"),
        Record::Quiet(SavedQuiet {
            word: Some(Word { on: true, until: Some(7) }),
            hours: Some(Some(QuietHours { from: 5, to: 4 })),
        }),
        Record::Consent(
            name("frank"),
            SavedConsent { key, terms: Terms { until: 8, history_days: 0 }, given: 2 },
        ),
        queued(1, None),
        queued(2, Some((chat_id(50), 2))),
        Record::LastQueued(7),
        Record::Consumer(SavedConsumer { name: "a-bot".to_owned(), position: 3, missed: 1 }),
        event(4, "said to the bot"),
        Record::Keep(None, 0),
        Record::Keep(Some(name("grace")), 30),
    ]);
    records
}

fn changes(records: &[Record]) -> BTreeMap<RecordKey, Option<Record>> {
    records.iter().map(|record| (record.key(), Some(record.clone()))).collect()
}

/// Records by what they are about, as bytes: what two of them have in common.
fn by_key(records: &[Record]) -> BTreeMap<RecordKey, Vec<u8>> {
    records.iter().map(|record| (record.key(), row::encode(record).unwrap().to_vec())).collect()
}

fn keeper(folder: &Path) -> Keeper {
    let disk = |name| Box::new(FileDisk(folder.join(name)));
    Keeper::new(disk(STORE_FILE), disk(HISTORY_FILE), folder.to_owned())
}

fn unlock(keeper: &mut Keeper, identity: &SigningKey) -> Restored {
    keeper.unlock(&identity.own_secret(IDENTITY_LABEL).unwrap(), &Heirloom::default()).unwrap()
}

#[test]
fn every_kind_of_record_comes_back_and_can_be_deleted() {
    let (top, identity, records) = (private_tempdir(), identity(), every_kind());
    let mut first = keeper(top.path());
    assert!(unlock(&mut first, &identity).records.is_empty());
    first.write(&changes(&records)).unwrap();
    drop(first);
    let mut second = keeper(top.path());
    let restored = unlock(&mut second, &identity);
    assert_eq!(by_key(&restored.records), by_key(&records));
    assert!(restored.notices.is_empty());
    let deleted = records.iter().map(|record| (record.key(), None)).collect();
    second.write(&deleted).unwrap();
    drop(second);
    assert!(unlock(&mut keeper(top.path()), &identity).records.is_empty());
}

#[test]
fn neither_names_nor_words_can_be_read_in_the_file_and_it_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    keeper.write(&changes(&every_kind())).unwrap();
    drop(keeper);
    let path = top.path().join(STORE_FILE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    for word in ["carol", "a secret word", "on its way", "left for bob", "a-bot", "said to the bot"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    for chat in [chat_id(1), chat_id(50)] {
        assert!(!bytes.windows(16).any(|window| window == format!("{chat:?}").as_bytes()));
    }
}

#[test]
fn what_is_written_while_locked_is_read_after_the_next_unlock() {
    let (top, identity) = (private_tempdir(), identity());
    let mut first = keeper(top.path());
    unlock(&mut first, &identity);
    first.write(&changes(&[unread(1, 1, "before")])).unwrap();
    for (id, restarts) in [(2, false), (3, true)] {
        first.lock();
        assert!(first.file_key.is_none());
        first.write(&changes(&[unread(1, id, "while locked")])).unwrap();
        if restarts {
            first = keeper(top.path());
        }
        let restored = unlock(&mut first, &identity);
        assert_eq!(u64::try_from(restored.records.len()), Ok(id), "{:?}", restored.notices);
        assert!(first.file.read().unwrap().lock_key.is_none(), "the lock key goes with the unlock");
    }
}

#[test]
fn what_was_deleted_is_gone_from_the_file_after_lock_and_unlock() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    for round in 0..2_u64 {
        keeper.write(&changes(&[unread(1, 1, "read and forgotten"), unread(1, 2, "kept")])).unwrap();
        let name = keeper.keys.as_ref().unwrap().name(&RecordKey::Unread(chat_id(1), 1)).unwrap();
        let rows = keeper.file.read().unwrap().rows;
        let sealed = rows.into_iter().find(|(it, _)| *it == name).unwrap().1;
        let is_there = || {
            let bytes = std::fs::read(top.path().join(STORE_FILE)).unwrap();
            bytes.windows(sealed.len()).any(|window| window == sealed)
        };
        assert!(is_there(), "the test looks for the right bytes");
        keeper.write(&BTreeMap::from([(RecordKey::Unread(chat_id(1), 1), None)])).unwrap();
        if round == 0 {
            keeper.lock();
            assert!(!is_there(), "after the lock");
        }
        assert_eq!(unlock(&mut keeper, &identity).records.len(), 1);
        assert!(!is_there(), "after the unlock");
    }
}

#[test]
fn a_row_in_anothers_place_is_left_out_and_said() {
    let (top, identity) = (private_tempdir(), identity());
    let mut keeper = keeper(top.path());
    unlock(&mut keeper, &identity);
    keeper.write(&changes(&[unread(1, 1, "one"), unread(1, 2, "two"), unread(1, 3, "three")])).unwrap();
    let rows = keeper.file.read().unwrap().rows;
    // Each is genuine; two change places, as somebody with the file could have it.
    let swapped = vec![(rows[0].0, Some(rows[1].1.clone())), (rows[1].0, Some(rows[0].1.clone()))];
    keeper.file.write(&Batch { rows: swapped, ..Batch::default() }).unwrap();
    let restored = unlock(&mut keeper, &identity);
    assert_eq!(restored.records.len(), 1);
    assert!(restored.notices[0].contains("2 records") && restored.notices[0].contains("set-aside"));
    assert!(unlock(&mut keeper, &identity).notices.is_empty(), "said once");
}

#[test]
fn another_identitys_file_is_set_aside_whole() {
    let (top, identities) = (private_tempdir(), [identity(), identity()]);
    for identity in &identities {
        let mut keeper = keeper(top.path());
        let restored = unlock(&mut keeper, identity);
        assert!(restored.records.is_empty());
        assert_eq!(restored.notices.len(), usize::from(identity.public_key() != identities[0].public_key()));
        keeper.write(&changes(&[unread(1, 1, "mine")])).unwrap();
    }
    let names = std::fs::read_dir(top.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let aside = names.filter(|name| name.to_string_lossy().contains("set-aside")).collect::<Vec<_>>();
    std::fs::rename(top.path().join(&aside[0]), top.path().join(STORE_FILE)).unwrap();
    assert_eq!(unlock(&mut keeper(top.path()), &identities[0]).records.len(), 1, "nothing of it is lost");
}

#[test]
fn the_key_that_follows_another_opens_its_file_and_then_it_alone_does() {
    let (top, old, new) = (private_tempdir(), identity(), identity());
    let mut first = keeper(top.path());
    unlock(&mut first, &old);
    first.write(&changes(&[unread(1, 1, "mine")])).unwrap();
    let secret = new.own_secret(IDENTITY_LABEL).unwrap();
    // The same daemon, locked meanwhile, or the next one.
    for is_locked in [true, false] {
        if is_locked {
            first.lock();
        } else {
            first = keeper(top.path());
        }
        let heirloom = Heirloom::of(&old, Heirloom::default()).unwrap();
        let restored = first.unlock(&secret, &heirloom).unwrap();
        assert_eq!((restored.records.len(), restored.notices.len()), (1, 0));
        assert_eq!(restored.follows, is_locked, "once");
    }
    first.write(&changes(&[unread(1, 2, "goes on")])).unwrap();
    drop(first);
    assert_eq!(unlock(&mut keeper(top.path()), &new).records.len(), 2, "without what was left");
    let by_old = unlock(&mut keeper(top.path()), &old);
    assert!(by_old.records.is_empty() && by_old.notices[0].contains("belongs to another identity key"));
}

#[test]
fn a_file_that_was_not_opened_by_one_key_is_opened_by_the_one_after_the_next() {
    let (top, keys) = (private_tempdir(), [identity(), identity(), identity()]);
    let mut first = keeper(top.path());
    unlock(&mut first, &keys[0]);
    first.write(&changes(&[unread(1, 1, "mine")])).unwrap();
    drop(first);
    let heirloom = Heirloom::of(&keys[0], Heirloom::default()).unwrap();
    let heirloom = Heirloom::of(&keys[1], heirloom).unwrap();
    let secret = keys[2].own_secret(IDENTITY_LABEL).unwrap();
    assert_eq!(keeper(top.path()).unlock(&secret, &heirloom).unwrap().records.len(), 1);
}

#[test]
fn a_damaged_file_is_set_aside_wherever_it_is_damaged() {
    let (top, identity) = (private_tempdir(), identity());
    let mut first = keeper(top.path());
    unlock(&mut first, &identity);
    first.write(&changes(&every_kind())).unwrap();
    drop(first);
    let path = top.path().join(STORE_FILE);
    let whole = std::fs::read(&path).unwrap();
    let damages: Vec<Vec<u8>> = (1..16)
        .map(|at| whole[..whole.len() * at / 16].to_vec())
        .chain((0..64).map(|at| {
            let mut flipped = whole.clone();
            flipped[at * 67] ^= 0x55;
            flipped
        }))
        .chain([vec![0; 5_000], b"not a database".repeat(99)])
        .collect();
    for (n, damaged) in damages.iter().enumerate() {
        let folder = top.path().join(n.to_string());
        secchat_ipc::paths::create_private_folder(&folder).unwrap();
        std::fs::write(folder.join(STORE_FILE), damaged).unwrap();
        std::fs::set_permissions(
            folder.join(STORE_FILE),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        let mut keeper = keeper(&folder);
        let restored = unlock(&mut keeper, &identity);
        // Either nothing that counts was damaged, or it is said and the file is still there.
        let is_whole = restored.records.len() == every_kind().len();
        assert_eq!(is_whole, restored.notices.is_empty(), "{n}: {:?}", restored.notices);
        keeper.write(&changes(&[unread(1, 1, "goes on")])).unwrap();
    }
}

#[test]
fn a_newer_format_is_left_alone() {
    let (top, identity) = (private_tempdir(), identity());
    let mut first = keeper(top.path());
    unlock(&mut first, &identity);
    drop(first);
    let newer = redb::Database::open(top.path().join(STORE_FILE)).unwrap();
    let transaction = newer.begin_write().unwrap();
    let table: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("keys");
    transaction.open_table(table).unwrap().insert("format", &(FORMAT + 1).to_be_bytes()[..]).unwrap();
    transaction.commit().unwrap();
    drop(newer);
    let secret = identity.own_secret(IDENTITY_LABEL).unwrap();
    let refused = keeper(top.path()).unlock(&secret, &Heirloom::default()).unwrap_err();
    assert!(matches!(refused, StoreError::TooNew { .. }), "{refused}");
}
