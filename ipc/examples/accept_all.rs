//! A whole frontend: a help desk that accepts everybody and answers every text.
//!
//! `cargo run -p secchat-ipc --example accept_all` beside a running secchatd.

use std::time::Duration;

use secchat_ipc::paths::Paths;
use secchat_ipc::{Client, ClientError, Command, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths = Paths::from_environment(None)?;
    let client = Client::connect(&paths, "accept-all").await?;
    Ok(run(client).await?)
}

/// Serves until the daemon goes away.
pub(crate) async fn run(mut client: Client) -> Result<(), ClientError> {
    // The state first, then what changes: nobody who asked before this program started is forgotten.
    let state = client.subscribe().await?;
    for event in state.replicate() {
        react(&mut client, event).await?;
    }
    loop {
        let event = client.next_event().await?;
        react(&mut client, event).await?;
    }
}

async fn react(client: &mut Client, event: Event) -> Result<(), ClientError> {
    let commands = if let Event::RequestReceived(request) = event {
        vec![Command::Accept { peer: request.peer, terms: None, wait: false }]
    } else if let Event::MessageReceived(message) = event {
        let text = "Thank you, we will look into it.".to_owned();
        vec![
            Command::Send { peer: message.peer, text },
            Command::MarkRead { chat_id: message.chat_id, up_to: message.id },
        ]
    } else {
        vec![]
    };
    for command in commands {
        match client.call(command, Duration::from_secs(10)).await {
            // Somebody else was quicker, or the peer is gone: that ends this command, not this program.
            Ok(_) | Err(ClientError::Command(_)) => {}
            Err(lost) => return Err(lost),
        }
    }
    Ok(())
}
