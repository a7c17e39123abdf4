//! Reads a policy file, line by line, as C2SP tlog-policy defines it.

use std::collections::HashSet;

use crate::bytes::PublicKey;

use super::super::note::{KeyKind, VerifierKey};
use super::{Group, MAX_PARTS, Policy, PolicyError};

const MAX_POLICY_BYTES: usize = 256 * 1024;
/// A quorum may be `none`; no member can be called that.
const NONE: &str = "none";

#[derive(Default)]
struct Parser {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, VerifierKey)>,
    groups: Vec<Group>,
    quorum: Option<Option<String>>,
    log_keys: HashSet<PublicKey>,
    witness_keys: HashSet<PublicKey>,
    names: HashSet<String>,
    members: HashSet<String>,
}

pub(super) fn policy(text: &str) -> Result<Policy, PolicyError> {
    let control = |b: u8| (b < 0x20 && b != b'\t' && b != b'\n') || b == 0x7f;
    if text.len() > MAX_POLICY_BYTES || text.bytes().any(control) {
        return Err(PolicyError::Line(1));
    }
    let mut parser = Parser::default();
    for (n, line) in text.split('\n').enumerate() {
        let fields: Vec<&str> = line.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        match fields.first() {
            Some(first) if !first.starts_with('#') => parser.line(n + 1, &fields)?,
            _ => {}
        }
    }
    let Parser { logs, witnesses, groups, quorum, .. } = parser;
    let quorum = quorum.ok_or(PolicyError::NoQuorum)?;
    Ok(Policy { logs, witnesses, groups, quorum })
}

impl Parser {
    fn line(&mut self, n: usize, fields: &[&str]) -> Result<(), PolicyError> {
        if self.logs.len().max(self.witnesses.len()).max(self.groups.len()) >= MAX_PARTS {
            return Err(PolicyError::Line(n));
        }
        match fields {
            ["log", vkey] | ["log", vkey, _] => self.log(n, vkey),
            ["witness", name, vkey] | ["witness", name, vkey, _] => self.witness(n, name, vkey),
            ["group", name, threshold, members @ ..] => self.group(n, name, threshold, members),
            ["quorum", name] => self.set_quorum(n, name),
            _ => Err(PolicyError::Line(n)),
        }
    }

    fn log(&mut self, n: usize, vkey: &str) -> Result<(), PolicyError> {
        let key = key(n, vkey, KeyKind::Log)?;
        first(n, self.log_keys.insert(key.key))?;
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, n: usize, name: &str, vkey: &str) -> Result<(), PolicyError> {
        let key = key(n, vkey, KeyKind::Cosigner)?;
        self.define(n, name)?;
        first(n, self.witness_keys.insert(key.key))?;
        self.witnesses.push((name.to_owned(), key));
        Ok(())
    }

    fn group(&mut self, n: usize, name: &str, threshold: &str, members: &[&str]) -> Result<(), PolicyError> {
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            // No sign and no leading zero: `parse` takes both.
            digits if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') => {
                digits.parse().map_err(|_| PolicyError::Line(n))?
            }
            _ => return Err(PolicyError::Line(n)),
        };
        if members.is_empty() || !(1..=members.len()).contains(&threshold) {
            return Err(PolicyError::Line(n));
        }
        for member in members {
            if !self.names.contains(*member) {
                return Err(PolicyError::Unknown(n));
            }
            first(n, self.members.insert((*member).to_owned()))?;
        }
        // After its members: a group that names itself names something unknown.
        self.define(n, name)?;
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        self.groups.push(Group { name: name.to_owned(), threshold, members });
        Ok(())
    }

    fn set_quorum(&mut self, n: usize, name: &str) -> Result<(), PolicyError> {
        first(n, self.quorum.is_none())?;
        if name != NONE && !self.names.contains(name) {
            return Err(PolicyError::Unknown(n));
        }
        self.quorum = Some((name != NONE).then(|| name.to_owned()));
        Ok(())
    }

    fn define(&mut self, n: usize, name: &str) -> Result<(), PolicyError> {
        if name == NONE {
            return Err(PolicyError::Line(n));
        }
        first(n, self.names.insert(name.to_owned()))
    }
}

fn key(n: usize, vkey: &str, kind: KeyKind) -> Result<VerifierKey, PolicyError> {
    let key: VerifierKey = vkey.parse().map_err(|_| PolicyError::Line(n))?;
    if key.kind == kind { Ok(key) } else { Err(PolicyError::Line(n)) }
}

fn first(n: usize, is_first: bool) -> Result<(), PolicyError> {
    if is_first { Ok(()) } else { Err(PolicyError::Twice(n)) }
}
