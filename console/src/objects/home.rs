//! Objects as YAML files of the home. The local provisioner and the applications' worker read them; what is written here is whole or not
//! there at all (`provisioner::home`).

use super::{ObjectError, Stored};
use crate::provisioner::home::{self, Home};
use crate::time::now_ms;
use operator_api::{Application, ApplicationStatus, Name, Object, Time};

pub fn create<S: Stored>(home: &Home, object: &Object<S>) -> Result<Object<S>, ObjectError> {
    let path = S::file(home, object.name());
    if path.exists() {
        return Err(ObjectError::Taken);
    }
    let mut object = object.clone();
    object.metadata.creation_timestamp = object.metadata.creation_timestamp.or(Some(now()));
    write(home, &object)?;
    Ok(object)
}

pub fn replace<S: Stored>(home: &Home, object: &Object<S>) -> Result<Object<S>, ObjectError> {
    let mut object = object.clone();
    object.metadata.generation += 1;
    write(home, &object)?;
    Ok(object)
}

pub fn delete<S: Stored>(home: &Home, object: &Object<S>) -> Result<Object<S>, ObjectError> {
    let mut object = object.clone();
    object.metadata.deletion_timestamp = Some(now());
    write(home, &object)?;
    Ok(object)
}

pub fn read<S: Stored>(home: &Home, name: &Name) -> Result<Option<Object<S>>, ObjectError> {
    let path = S::file(home, name);
    let Some(text) = home::read(&path)? else { return Ok(None) };
    Ok(home::parse_object(&path, name, &text).map(Some)?)
}

pub fn application_status(home: &Home, name: &Name) -> ApplicationStatus {
    // Rebuildable: one that does not fit is written anew.
    home::read_json(&home.application_status(name)).ok().flatten().unwrap_or_default()
}

pub fn report_application(home: &Home, name: &Name, status: &ApplicationStatus) -> Result<(), ObjectError> {
    Ok(home::write_json(&home.application_status(name), status)?)
}

pub fn release_application(home: &Home, name: &Name) {
    // Gone already is as good; a crash in between finds a removed row and tries again.
    let _ = std::fs::remove_file(home.application(name));
    let _ = std::fs::remove_file(home.application_status(name));
}

pub fn keep_application(home: &Home, object: &Application) -> Result<(), ObjectError> {
    let mut object = object.clone();
    object.metadata.deletion_timestamp = None;
    write(home, &object)
}

fn write<S: Stored>(home: &Home, object: &Object<S>) -> Result<(), ObjectError> {
    Ok(home::write(&S::file(home, object.name()), home::object_text(object)?.as_bytes())?)
}

fn now() -> Time {
    Time::from_ms(now_ms().unsigned_abs())
}
