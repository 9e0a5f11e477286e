//! `secchatctl config show`: every setting, and which layer it is from. (The layer in /etc is shown in the daemon's own
//! tests, since no test may write there.)

use secchat_e2e::{CtlOutput, Home};

async fn show(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> CtlOutput {
    let mut command = home.command("secchatctl");
    command.args(arguments).envs(variables.iter().copied());
    CtlOutput::of(command, None).await
}

#[tokio::test]
async fn every_setting_is_shown_with_its_origin() {
    let home = Home::empty();
    home.write_config("user = \"alice\"\n\n# a comment\nrelay = \"own:1\"\n[limits]\nfrontends = 7\n");
    let variables = [("SECCHAT_RELAY_NAME", "relay.example")];
    let shown = show(&home, &variables, &["config", "show", "--origin"]).await.ok().stdout;
    let file = home.config_dir().join("config.toml").display().to_string();
    for line in [
        format!("user\talice\t{file}:1"),
        format!("relay\town:1\t{file}:4"),
        "relay_name\trelay.example\tSECCHAT_RELAY_NAME".to_owned(),
        "available\ttrue\tdefault".to_owned(),
        format!("limits.frontends\t7\t{file}:6"),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
    }
    let bare = show(&home, &variables, &["config", "show"]).await.ok().stdout;
    assert!(bare.lines().any(|line| line == "user\talice"), "{bare}");
    let object = show(&home, &variables, &["--json", "config", "show"]).await.ok().json();
    let crl = object["settings"].as_array().unwrap().iter().find(|row| row["key"] == "crl").unwrap();
    assert_eq!((&crl["value"], &crl["origin"]), (&serde_json::Value::Null, &"default".into()));
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_its_line() {
    let home = Home::empty();
    home.write_config("user = \"alice\"\nrelais = \"x\"\n");
    show(&home, &[], &["config", "show"]).await.with_code(1).says("config.toml:2: unknown field `relais`");
}

#[tokio::test]
async fn a_profile_has_settings_of_its_own() {
    let home = Home::empty();
    home.write_config("user = \"alice\"\n");
    let shown = show(&home, &[], &["--profile", "work", "config", "show", "--origin"]).await.ok().stdout;
    assert!(shown.lines().any(|line| line == "user\t\tdefault"), "{shown}");
    let key = home.config_dir().join("profiles/work/identity.pem");
    assert!(shown.contains(&format!("key\t{}\tdefault", key.display())), "{shown}");
}
