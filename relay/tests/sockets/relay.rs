//! A relay with files of its own, made as an operator makes them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use secchat_proto::UserName;
use secchat_proto::crypto::certificate::TrustAnchors;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::SigningKey;
use secchat_relay::config::Config;
use secchat_relay::limits::Limits;
use secchat_relay::logging::LogFilter;
use secchat_relay::user_list::edit::ListFile;
use secchat_relay::{Relay, RelayError, init};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A relay that runs until it is dropped or stopped.
pub(crate) struct TestRelay {
    pub(crate) address: SocketAddr,
    pub(crate) anchors: TrustAnchors,
    pub(crate) keys: BTreeMap<&'static str, SigningKey>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RelayError>>,
    folder: TempDir,
}

/// Everything here ends long before; a test that hangs fails instead.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: nothing within {DEADLINE:?}"))
}

impl TestRelay {
    pub(crate) async fn start<const N: usize>(users: [&'static str; N]) -> Self {
        Self::with(users, Limits::default()).await
    }

    pub(crate) async fn with<const N: usize>(users: [&'static str; N], limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        init::init(folder.path(), &[], None).unwrap();
        let keys = users.map(|name| (name, SigningKey::generate_ed25519(&mut OsEntropy).unwrap()));
        for (name, key) in &keys {
            add(folder.path(), name, key);
        }
        let mut config = Config::load(&folder.path().join("relay.toml")).unwrap();
        config.listen.1 = 0;
        config.limits = limits;
        let relay = Relay::bind(config, LogFilter::default()).await.unwrap();
        let address = relay.local_address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(relay.run(async {
            let _ = stopped.await;
        }));
        let ca = std::fs::read(folder.path().join("ca.pem")).unwrap();
        let anchors = TrustAnchors {
            ca_certificate: openssl::x509::X509::from_pem(&ca).unwrap().to_der().unwrap(),
            crl: None,
            relay_name: "localhost".to_owned(),
            newest_crl_seen: 0,
        };
        Self { address, anchors, keys: keys.into_iter().collect(), stop, running, folder }
    }

    /// Takes users off the list, and gives others a new key; both at once.
    pub(crate) fn change_users(&mut self, removed: &[&str], other_keys: &[&'static str]) {
        self.keys.retain(|name, _| !removed.contains(name));
        for name in other_keys {
            self.keys.insert(name, SigningKey::generate_ed25519(&mut OsEntropy).unwrap());
        }
        let line = |(name, key): (&&str, &SigningKey)| {
            format!("{name} {}\n", openssl::base64::encode_block(key.public_key().as_der()))
        };
        let list: String = self.keys.iter().map(line).collect();
        std::fs::write(self.folder.path().join("user_list"), format!("# users\n{list}")).unwrap();
    }

    /// Stops it; it must end by itself, and well.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        within("the relay's end", self.running).await.unwrap().unwrap();
    }
}

fn add(folder: &Path, name: &str, key: &SigningKey) {
    let key = openssl::base64::encode_block(key.public_key().as_der());
    let list = ListFile::open(&folder.join("user_list"), folder).unwrap();
    let (added, _) = list.add(name, OsStr::new(&key), false).unwrap();
    assert_eq!(added, name.parse::<UserName>().unwrap());
}
