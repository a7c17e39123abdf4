//! Makes authority and leaf. Random by nature, so it is no part of the decision.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::{AUTHORITY_LASTS, Due, Facts, Held, LEAF_LASTS, due};

const BEFORE_NOW_S: u64 = 3_600;

/// What is held, renewed as far as it is due.
pub fn issue(held: Option<&Held>, names: &[String], now_s: u64) -> Result<Held, rcgen::Error> {
    match (held, due(held.map(|held| &held.facts), names, now_s)) {
        (Some(held), Due::Nothing) => Ok(held.clone()),
        (Some(held), Due::Leaf) => leaf(held.clone(), names, now_s),
        (held, Due::Authority) | (held @ None, Due::Nothing | Due::Leaf) => {
            let key = KeyPair::generate()?;
            let ends_s = now_s + AUTHORITY_LASTS.as_secs();
            let mut authorities = authority(now_s, ends_s).self_signed(&key)?.pem();
            if let Some(former) = held.and_then(|held| first_certificate(&held.authorities)) {
                authorities.push_str(former);
            }
            let fresh = Held {
                authorities,
                authority_key: key.serialize_pem(),
                leaf: String::new(),
                leaf_key: String::new(),
                facts: Facts { authority_ends_s: ends_s, leaf_ends_s: 0, names: Vec::new() },
            };
            leaf(fresh, names, now_s)
        }
    }
}

/// Only the newest of them: the one before it has no leaf any more.
fn first_certificate(bundle: &str) -> Option<&str> {
    const END: &str = "-----END CERTIFICATE-----";
    let end = bundle.find(END)? + END.len();
    let line = bundle[end..].find('\n').map_or(bundle.len(), |newline| end + newline + 1);
    bundle.get(..line)
}

fn leaf(held: Held, names: &[String], now_s: u64) -> Result<Held, rcgen::Error> {
    // Name and key identify an authority; the certificate itself is not needed to sign.
    let issuer = Issuer::new(authority(now_s, held.facts.authority_ends_s), KeyPair::from_pem(&held.authority_key)?);
    let ends_s = now_s + LEAF_LASTS.as_secs();
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "citychain-webhook");
    set_validity(&mut params, now_s, ends_s);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    let facts = Facts { leaf_ends_s: ends_s, names: names.to_vec(), ..held.facts };
    Ok(Held { leaf: certificate.pem(), leaf_key: key.serialize_pem(), facts, ..held })
}

fn authority(now_s: u64, ends_s: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "citychain-webhook-authority");
    set_validity(&mut params, now_s, ends_s);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// From an hour ago, because an API server's clock may be behind, to its end.
fn set_validity(params: &mut CertificateParams, now_s: u64, ends_s: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now_s.saturating_sub(BEFORE_NOW_S));
    params.not_after = epoch + Duration::from_secs(ends_s);
}
