//! Which validators a spec asks for and which organisation runs each: a count shared out in turn, or shares by name.

use operator_api::{ChainSpec, Name, Organisation, ValidatorName};

use super::{FieldError, Member};
use crate::quorum::FEWEST_VALIDATORS;

/// A full mesh of peers and certificates that grow with every voter are meant for this size.
pub(crate) const MOST_VALIDATORS: u32 = chain_types::limits::MAX_VALIDATORS as u32;
/// Each has a loopback address of its own.
const MOST_NUMBERS: usize = 254;

/// The members in order of their numbers; empty if the form itself is wrong.
pub fn members(spec: &ChainSpec, organisations: &[Organisation], errors: &mut Vec<FieldError>) -> Vec<Member> {
    if organisations.is_empty() {
        errors.push(FieldError::new(
            "tenant.organisations",
            "租户还没有机构；请先添加至少一个机构",
            "the tenant has no organisation yet; add at least one first",
        ));
        return Vec::new();
    }
    let (field, owners) = match (spec.validators.count, spec.validators.organisations.is_empty()) {
        (Some(_), true) => {
            let in_turn = organisations.iter().map(|organisation| organisation.id.clone()).cycle();
            // As many as there are numbers: those of the retired are passed over below.
            ("spec.validators.count", in_turn.take(MOST_NUMBERS).collect())
        }
        (None, false) => ("spec.validators.organisations", shares(spec, organisations, errors)),
        (Some(_), false) | (None, true) => {
            errors.push(FieldError::new(
                "spec.validators",
                "请填写 count 或 organisations 其中一项",
                "give exactly one of `count` and `organisations`",
            ));
            return Vec::new();
        }
    };
    let asked = match spec.validators.count {
        Some(count) => count,
        None => {
            let listed =
                spec.validators.organisations.iter().fold(0, |sum, share| share.validators.saturating_add(sum));
            let left = spec.retired.iter().filter(|name| u32::from(name.number()) <= listed).count();
            listed.saturating_sub(u32::try_from(left).unwrap_or(u32::MAX))
        }
    };
    if !(FEWEST_VALIDATORS..=MOST_VALIDATORS).contains(&asked) {
        errors.push(FieldError::new(
            field,
            format!("验证者须为 {FEWEST_VALIDATORS} 至 {MOST_VALIDATORS} 个（少于 4 个时任何一个故障都会停链），现为 {asked} 个"),
            format!(
                "must be {FEWEST_VALIDATORS} to {MOST_VALIDATORS} validators, are {asked}; fewer than 4 tolerate no fault"
            ),
        ));
        return Vec::new();
    }
    let members = numbered(spec, owners, bounded(asked));
    if members.len() < bounded(asked) {
        errors.push(FieldError::new(
            field,
            format!("编号已用完：一条链的验证者编号为 1 至 {MOST_NUMBERS}，且不重复使用"),
            format!("the numbers are used up: a chain's validators have 1 to {MOST_NUMBERS}, each used once"),
        ));
        return Vec::new();
    }
    members
}

fn bounded(count: u32) -> usize {
    usize::try_from(count.min(MOST_VALIDATORS)).unwrap_or(usize::MAX)
}

/// One entry a validator, in the order of the list.
fn shares(spec: &ChainSpec, organisations: &[Organisation], errors: &mut Vec<FieldError>) -> Vec<Name> {
    let mut owners = Vec::new();
    for (index, share) in spec.validators.organisations.iter().enumerate() {
        let field = format!("spec.validators.organisations[{index}]");
        if !organisations.iter().any(|organisation| organisation.id == share.organisation) {
            errors.push(FieldError::new(
                format!("{field}.organisation"),
                format!("{} 不是本租户的机构", share.organisation),
                format!("`{}` is not an organisation of the tenant", share.organisation),
            ));
        }
        if share.validators == 0 {
            errors.push(FieldError::new(
                format!("{field}.validators"),
                "至少 1 个；不需要时请删除这一行",
                "must be at least 1; leave the organisation out if it runs none",
            ));
        }
        owners.extend(std::iter::repeat_n(share.organisation.clone(), bounded(share.validators)));
    }
    owners
}

/// The owners' validators but those that have left, so many of them.
fn numbered(spec: &ChainSpec, owners: Vec<Name>, count: usize) -> Vec<Member> {
    (1..)
        .map_while(ValidatorName::numbered)
        .zip(owners)
        .filter(|(name, _)| !spec.retired.contains(name))
        .take(count)
        .map(|(name, organisation)| {
            let desired = spec.validator_states.get(&name).copied().unwrap_or_default();
            Member { name, organisation, desired }
        })
        .collect()
}
