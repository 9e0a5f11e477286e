//! Frontends that misbehave, and those beside them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::common::{DEADLINE, Daemon, Home, call, is_locked, status};
use secchat_ipc::client::Incoming;
use secchat_ipc::codec::{self, MAX_REQUEST_BYTES};
use secchat_ipc::hello::{HELLO_BYTES, Verdict};
use secchat_ipc::types::{Passphrase, Reachability};
use secchat_ipc::{Client, ClientError, Command, Event, Hello, Reply, Request, VERSION};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

const CONFIG: &str = "user = \"alice\"\nrelay = \"127.0.0.1:1\"\n[limits]\nfrontends = 4\n";

async fn started() -> (Home, Daemon) {
    let home = Home::new();
    home.configure(CONFIG);
    let daemon = Daemon::start(home.secchatd()).await;
    (home, daemon)
}

/// A connection that was greeted. One that has just left counts until the daemon has seen its end: tries until there
/// is room.
async fn greeted(home: &Home) -> UnixStream {
    let served = async {
        loop {
            let mut stream = UnixStream::connect(home.paths().socket()).await.unwrap();
            stream.write_all(&Hello::new("rude", "0").encode()).await.unwrap();
            match verdict(&mut stream).await {
                Some(Verdict::Served) => return stream,
                refused => assert_eq!(refused, Some(Verdict::TooMany)),
            }
        }
    };
    timeout(DEADLINE, served).await.expect("room for one more")
}

async fn verdict(stream: &mut UnixStream) -> Option<Verdict> {
    let mut said = [0; HELLO_BYTES + 1];
    timeout(DEADLINE, stream.read_exact(&mut said)).await.unwrap().unwrap();
    Verdict::from_byte(said[HELLO_BYTES])
}

async fn is_closed(stream: &mut UnixStream) -> bool {
    let mut rest = Vec::new();
    matches!(timeout(DEADLINE, stream.read_to_end(&mut rest)).await, Ok(Ok(0) | Err(_)))
}

fn frame(id: u64, command: Command) -> Vec<u8> {
    codec::encode(&Request { id, timeout_ms: 0, command }, MAX_REQUEST_BYTES).unwrap().to_vec()
}

/// Connects to the socket in the arguments, says its standard input, and prints what it hears.
const SAY_AND_LISTEN: &str = r#"
    $SIG{PIPE} = 'IGNORE';
    socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
    connect($socket, sockaddr_un($ARGV[0])) or die "connect: $!";
    local $/;
    syswrite($socket, <STDIN>);
    while (sysread($socket, my $heard, 4096)) { syswrite(STDOUT, $heard) }
"#;

#[tokio::test]
async fn another_user_is_refused_even_where_the_socket_lets_him_in() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can be somebody else (the decision has a test in listener.rs)");
        return;
    }
    let (home, daemon) = started().await;
    let socket = home.paths().socket().to_owned();
    let open = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    socket
        .ancestors()
        .skip(1)
        .take_while(|path| path.starts_with(home.path()))
        .for_each(|path| open(path, 0o711));
    open(&socket, 0o777);
    let hello = Hello::new("stranger", "0").encode();
    let mut told = Vec::new();
    for (uid, verdict) in [("65534", Verdict::OtherUser), ("0", Verdict::Served)] {
        let mut stranger = tokio::process::Command::new("setpriv")
            .args(["--reuid", uid, "--clear-groups", "perl", "-MSocket", "-e", SAY_AND_LISTEN])
            .arg(&socket)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("setpriv and perl: `dist/install-needs --test` installs them");
        let mut stdin = stranger.stdin.take().unwrap();
        let status = frame(1, Command::Status);
        // To who is refused, a reset because of unread bytes could come before the verdict.
        let request = if verdict == Verdict::Served { &status[..] } else { &[] };
        stdin.write_all(&[&hello[..], request].concat()).await.unwrap();
        drop(stdin);
        let mut stdout = stranger.stdout.take().unwrap();
        let mut heard = [0; HELLO_BYTES + 1];
        timeout(DEADLINE, stdout.read_exact(&mut heard)).await.unwrap().expect("the stranger gets in");
        assert_eq!(Verdict::from_byte(heard[HELLO_BYTES]), Some(verdict), "uid {uid}");
        // Who is served is answered; who is not hears nothing more.
        let mut answer = [0; 64];
        let length = timeout(DEADLINE, stdout.read(&mut answer)).await.unwrap().unwrap();
        told.push(length > 0);
    }
    assert_eq!(told, [false, true]);
    assert!(is_locked(&mut home.client().await).await);
    daemon.stop().await;
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let (home, mut daemon) = started().await;
    let mut witness = home.client().await;
    let unknown_command = [&[0, 0, 0, 3][..], &[0, 0, 99]].concat();
    let trailing = {
        let mut bytes = frame(1, Command::Status);
        bytes.push(0);
        bytes[3] += 1;
        bytes
    };
    let too_long = u32::try_from(MAX_REQUEST_BYTES + 1).unwrap().to_be_bytes().to_vec();
    let garbage =
        [vec![0; 4], vec![0xff; 4], too_long, unknown_command, trailing, b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    for bytes in garbage {
        let mut stream = greeted(&home).await;
        stream.write_all(&bytes).await.unwrap();
        assert!(is_closed(&mut stream).await, "{bytes:?}");
        let line = daemon.wait_for("it sent garbage").await;
        assert!(line.contains("rude"), "{line}");
    }
    assert!(is_locked(&mut witness).await);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn a_hello_that_is_none_or_newer_is_told_so() {
    let (home, daemon) = started().await;
    let mut stranger = UnixStream::connect(home.paths().socket()).await.unwrap();
    stranger.write_all(&[b'x'; HELLO_BYTES]).await.unwrap();
    assert_eq!(verdict(&mut stranger).await, Some(Verdict::NoHello));
    assert!(is_closed(&mut stranger).await);
    let mut newer = UnixStream::connect(home.paths().socket()).await.unwrap();
    let hello = Hello { version: VERSION + 1, ..Hello::new("newer", "9") };
    newer.write_all(&hello.encode()).await.unwrap();
    assert_eq!(verdict(&mut newer).await, Some(Verdict::FrontendNewer));
    assert!(is_closed(&mut newer).await);
    let mut older = UnixStream::connect(home.paths().socket()).await.unwrap();
    older.write_all(&Hello { version: 0, ..hello }.encode()).await.unwrap();
    assert_eq!(verdict(&mut older).await, Some(Verdict::Served));
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn frontends_have_a_bound_and_places_come_free() {
    let (home, daemon) = started().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(home.client().await);
    }
    let mut fifth = UnixStream::connect(home.paths().socket()).await.unwrap();
    assert_eq!(verdict(&mut fifth).await, Some(Verdict::TooMany));
    drop((clients.pop(), fifth));
    let served = timeout(DEADLINE, async {
        // The daemon sees the leaving when it gets to it.
        loop {
            if let Ok(client) = Client::connect_to(&home.paths().socket(), "test").await {
                return client;
            }
        }
    });
    assert!(is_locked(&mut served.await.unwrap()).await);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn who_dies_in_the_middle_of_a_command_harms_nobody() {
    let (home, daemon) = started().await;
    home.make_key("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:sesame");
    let mut witness = home.client().await;
    let unlock = || Command::Unlock { passphrase: Passphrase("simsim".to_owned().into()), ttl_seconds: 0 };
    for _ in 0..20 {
        let mut stream = greeted(&home).await;
        stream.write_all(&frame(1, unlock())).await.unwrap();
        drop(stream);
        let mut stream = greeted(&home).await;
        let bytes = frame(1, unlock());
        stream.write_all(&bytes[..bytes.len() / 2]).await.unwrap();
        drop(stream);
    }
    assert!(is_locked(&mut witness).await);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn who_reads_nothing_is_cut_off_and_comes_back_to_a_snapshot() {
    let (home, mut daemon) = started().await;
    let mut slow = greeted(&home).await;
    slow.write_all(&frame(1, Command::Subscribe)).await.unwrap();
    let mut quick = home.client().await;
    quick.subscribe().await.unwrap();
    let mut actor = home.client().await;
    let cut = tokio::spawn(async move {
        daemon.wait_for("it does not read what it asked for").await;
        daemon
    });
    let mut changes = 0;
    while !cut.is_finished() {
        let available = changes % 2 == 0;
        let reply = call(&mut actor, Command::SetReachability { available: !available }).await;
        assert!(matches!(reply, Ok(Reply::Done)), "{reply:?}");
        changes += 1;
        let event = timeout(DEADLINE, quick.next_event()).await.unwrap().unwrap();
        let Event::StatusChanged(status) = event else { panic!("{event:?}") };
        assert_eq!(
            status.reachability == Reachability::Hidden,
            available,
            "no event is lost to the quick one"
        );
    }
    let mut rest = Vec::new();
    timeout(DEADLINE, slow.read_to_end(&mut rest)).await.unwrap().unwrap();
    let mut again = home.client().await;
    let snapshot = again.subscribe().await.unwrap();
    assert_eq!(snapshot.status, status(&mut actor).await);
    assert_eq!(cut.await.unwrap().stop().await, Some(0));
}

#[tokio::test]
async fn many_commands_at_once_get_one_answer_each() {
    let (home, daemon) = started().await;
    let mut client = home.client().await;
    let mut waiting = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        waiting.insert(client.send(Command::Status, DEADLINE).unwrap());
        waiting.insert(client.send(Command::Logout, DEADLINE).unwrap());
    }
    while !waiting.is_empty() {
        match timeout(DEADLINE, client.next()).await.unwrap().unwrap() {
            Incoming::Reply { id, result } => {
                assert!(result.is_ok(), "{result:?}");
                assert!(waiting.remove(&id), "answered twice: {id}");
            }
            other @ Incoming::Event { .. } => panic!("{other:?}"),
        }
    }
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn an_id_in_use_is_garbage() {
    let (home, mut daemon) = started().await;
    home.make_key("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:sesame");
    let mut stream = greeted(&home).await;
    let unlock = Command::Unlock { passphrase: Passphrase("simsim".to_owned().into()), ttl_seconds: 0 };
    let both = [frame(1, unlock), frame(1, Command::Status)].concat();
    stream.write_all(&both).await.unwrap();
    daemon.wait_for("used a request's id again").await;
    assert!(is_closed(&mut stream).await);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn what_waits_when_the_daemon_stops_is_answered() {
    // A relay that says nothing: the login waits.
    let relay = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = Home::new();
    home.configure(&format!("user = \"alice\"\nrelay = \"{}\"\n", relay.local_addr().unwrap())).make_ca();
    home.make_key("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:sesame");
    let daemon = Daemon::start(home.secchatd()).await;
    let mut client = home.client().await;
    crate::common::unlock(&mut client, "sesame").await.unwrap();
    // A connection's requests are taken in order.
    let id = client.send(Command::Login, DEADLINE).unwrap();
    client.send(Command::Status, DEADLINE).unwrap();
    let status = timeout(DEADLINE, client.next()).await.unwrap();
    assert!(matches!(status, Ok(Incoming::Reply { result: Ok(Reply::Status(_)), .. })), "{status:?}");
    let stopped = tokio::spawn(daemon.stop());
    let answer = timeout(DEADLINE, client.next()).await.unwrap();
    let Ok(Incoming::Reply { id: answered, result }) = answer else { panic!("{answer:?}") };
    assert_eq!(answered, id);
    assert_eq!(result, Err(secchat_ipc::CommandError::Stopping));
    assert_eq!(stopped.await.unwrap(), Some(0));
    assert!(matches!(client.next().await, Err(ClientError::Closed { .. })));
}
