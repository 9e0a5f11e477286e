//! `config show`: every setting as it is in force, and where it comes from.

use secchat_ipc::harmless;
use serde_json::json;

use crate::cli::ConfigVerb;
use crate::failure::Failure;
use crate::secchatd;
use crate::session::Session;

pub(super) fn run(session: &Session, verb: &ConfigVerb) -> Result<(), Failure> {
    let ConfigVerb::Show { origin } = verb;
    let settings = secchatd::settings(session.paths.profile())?;
    let objects: Vec<_> = settings
        .iter()
        .map(|[key, value, origin]| {
            let value = (!value.is_empty()).then_some(value);
            json!({ "key": key, "value": value, "origin": origin })
        })
        .collect();
    session.output.data(json!({ "settings": objects }), |output| {
        let lines = settings.iter().map(|row| row.each_ref().map(|cell| harmless::line(cell)));
        if *origin {
            output.table(["SETTING", "VALUE", "FROM"], &lines.collect::<Vec<_>>())
        } else {
            let lines = lines.map(|[key, value, _]| [key, value]);
            output.table(["SETTING", "VALUE"], &lines.collect::<Vec<_>>())
        }
    })
}
