//! How many validators a chain has and who runs them: what was typed becomes a [`Wish`] that names everybody who joins or leaves, so that
//! what is confirmed is what was shown. Whether it may be is `chain-plan`'s; the wish only edits the chain's object.

use super::{Typed, change, find};
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::chains::{View, spec};
use crate::error::{Error, FieldErrors, Result};
use crate::names;
use crate::text::{Lang, Message};
use chain_plan::{Arithmetic, Quorum, set_changes, validate_change};
use operator_api::{Chain, Name, Share, Text, ValidatorName, Validators};
use std::collections::{BTreeMap, BTreeSet};

/// One organisation and its validators that stay wanted now; all of them in one row where the spec only counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of the form's field; `None` where the spec only counts.
    pub organisation: Option<Name>,
    pub title: Text,
    pub validators: Vec<ValidatorName>,
}

/// A change of the set: who leaves for good, and for whom how many come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    pub retire: BTreeSet<ValidatorName>,
    pub add: BTreeMap<Name, u32>,
    /// The number of all, where the spec only counts.
    pub count: Option<u32>,
}

/// What a wish would come to.
pub struct Preview {
    pub wish: Wish,
    pub before: Quorum,
    pub after: Quorum,
    /// In the order in which they would be made; the first that does not hold is the last.
    pub steps: Vec<Arithmetic>,
    /// Why it is not made, in the words of the arithmetic where that forbids it.
    pub refusal: Option<Text>,
}

/// What the form offers: one row an organisation of the chain, or one row for all.
pub fn rows(view: &View) -> Vec<Row> {
    let (Some(valid), Some(plan)) = (&view.valid, &view.plan) else { return Vec::new() };
    let wanted = |name: &ValidatorName| valid.members().iter().any(|member| member.name == *name);
    let members: Vec<_> = plan.nodes.iter().filter(|node| wanted(&node.name)).collect();
    if counted(view).is_some() {
        let validators = members.iter().map(|node| node.name).collect();
        return vec![Row { organisation: None, title: Text::default(), validators }];
    }
    let organisations = plan.genesis.genesis().map(|genesis| genesis.organisations.as_slice()).unwrap_or_default();
    let row = |own: &chain_types::genesis::GenesisOrganisation| {
        let organisation: Name = own.id.parse().ok()?;
        let of = members.iter().filter(|node| node.organisation == organisation);
        let (title, validators) = (Text::new(&own.title.zh, &own.title.en), of.map(|node| node.name).collect());
        Some(Row { organisation: Some(organisation), title, validators })
    };
    organisations.iter().filter_map(row).collect()
}

/// The number that the spec names, if it names no organisations.
fn counted(view: &View) -> Option<u32> {
    view.object.as_ref().and_then(|object| object.spec.validators.count)
}

impl Wish {
    /// From the numbers of the form, `validators` or `validators-<organisation>`; or from `replace`, a validator's name.
    pub fn parse(view: &View, typed: &Typed) -> Result<Self> {
        let rows = rows(view);
        if let Some(name) = typed.get("replace") {
            let name: ValidatorName = name.parse().map_err(|_| Error::NotFound)?;
            let node = view.plan.as_ref().and_then(|plan| plan.node(name)).ok_or(Error::NotFound)?;
            if !rows.iter().any(|row| row.validators.contains(&name)) {
                return Err(Error::NotFound);
            }
            return Ok(Self { retire: [name].into(), add: [(node.organisation.clone(), 1)].into(), count: None });
        }
        let mut errors = FieldErrors::default();
        let mut wish = Self::default();
        for row in &rows {
            let field = row.organisation.as_ref().map_or("validators".to_owned(), |id| format!("validators-{id}"));
            let text = typed.get(&field).map(|text| text.trim()).unwrap_or_default();
            let have = u32::try_from(row.validators.len()).unwrap_or(u32::MAX);
            let Ok(want) = text.parse::<u32>() else {
                errors.add("validators", Message::new("chain-number-missing"));
                continue;
            };
            wish.retire.extend(first_to_go(view, &row.validators).into_iter().take(have.saturating_sub(want) as usize));
            match &row.organisation {
                None if want != have => wish.count = Some(want),
                Some(id) if want > have => drop(wish.add.insert(id.clone(), want.saturating_sub(have))),
                _ => {}
            }
        }
        errors.finish(Some(wish))
    }

    /// As the page that asks for confirmation holds it.
    pub fn confirmed(typed: &Typed) -> Result<Self> {
        let wrong = |_| Error::NotFound;
        let words = |field: &str| typed.get(field).map(String::as_str).unwrap_or_default().split_whitespace();
        let retire = words("retire").map(str::parse).collect::<std::result::Result<_, _>>().map_err(wrong)?;
        let mut add = BTreeMap::new();
        for word in words("add") {
            let (organisation, count) = word.split_once(':').ok_or(Error::NotFound)?;
            add.insert(
                organisation.parse::<Name>().map_err(|_| Error::NotFound)?,
                count.parse().map_err(|_| Error::NotFound)?,
            );
        }
        let count = words("count").next().map(str::parse).transpose().map_err(|_| Error::NotFound)?;
        Ok(Self { retire, add, count })
    }

    /// The fields of [`Wish::confirmed`].
    pub fn fields(&self) -> [(&'static str, String); 3] {
        let retire: Vec<String> = self.retire.iter().map(ToString::to_string).collect();
        let add: Vec<String> = self.add.iter().map(|(id, count)| format!("{id}:{count}")).collect();
        [
            ("retire", retire.join(" ")),
            ("add", add.join(" ")),
            ("count", self.count.map(|n| n.to_string()).unwrap_or_default()),
        ]
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Edits the object. A spec that only counts names its organisations from then on if one validator takes another's place: the
    /// newcomer belongs to whom the other belonged.
    fn edit(&self, view: &View, object: &mut Chain) {
        let spec = &mut object.spec;
        if spec.validators.count.is_some() && !self.add.is_empty() {
            spec.validators = by_name(view, &spec.retired);
        }
        if let Some(count) = self.count {
            spec.validators.count = Some(count);
        }
        for (organisation, validators) in &self.add {
            spec.validators.organisations.push(Share { organisation: organisation.clone(), validators: *validators });
        }
        for name in &self.retire {
            spec.validator_states.remove(name);
        }
        spec.retired.extend(&self.retire);
    }
}

/// Those that take no part first, then the highest numbers.
fn first_to_go(view: &View, validators: &[ValidatorName]) -> Vec<ValidatorName> {
    let mut sorted = validators.to_vec();
    sorted.sort_by_key(|name| (view.observed.node(*name).is_live(), std::cmp::Reverse(*name)));
    sorted
}

/// The numbers that a counting spec has given out, each with its organisation; of those that left nobody needs it any more.
fn by_name(view: &View, retired: &BTreeSet<ValidatorName>) -> Validators {
    let Some((valid, plan)) = view.valid.as_ref().zip(view.plan.as_ref()) else { return Validators::default() };
    let members = valid.members();
    let last = members.iter().map(|member| member.name).chain(retired.iter().copied()).max();
    let owner = |number: u32| {
        let name = ValidatorName::numbered(number)?;
        let known = plan.node(name).map(|node| node.organisation.clone());
        known.or_else(|| members.first().map(|member| member.organisation.clone()))
    };
    let mut organisations: Vec<Share> = Vec::new();
    for organisation in (1..=last.map_or(0, |name| u32::from(name.number()))).filter_map(owner) {
        match organisations.last_mut() {
            Some(share) if share.organisation == organisation => share.validators += 1,
            _ => organisations.push(Share { organisation, validators: 1 }),
        }
    }
    Validators { count: None, organisations }
}

/// What the wish would come to now.
pub fn preview(app: &App, view: &View, wish: Wish) -> Result<Preview> {
    let (Some(object), Some(valid)) = (&view.object, &view.valid) else {
        return Err(Error::conflict("chain-unusable", Message::new("chain-unusable")));
    };
    let mut wanted = object.clone();
    wish.edit(view, &mut wanted);
    let before = Quorum::of(valid.count());
    match spec::parse(app, &wanted) {
        Ok(wanted) => {
            let refusal = validate_change(valid, &wanted, &view.observed).err().map(|refusal| refusal.reason);
            let after = Quorum::of(wanted.count());
            Ok(Preview { wish, before, after, steps: set_changes(&wanted, &view.observed), refusal })
        }
        Err(errors) => {
            let refusal = errors.first().map(|error| error.reason.clone());
            Ok(Preview { wish, before, after: before, steps: Vec::new(), refusal })
        }
    }
}

/// Asks for the change; its loop carries it out, one validator at a time.
pub async fn change_set(app: &App, principal: &Principal, lang: Lang, chain: &names::Name, wish: &Wish) -> Result<()> {
    let found = find(app, principal, chain)?;
    principal.require(Action::ChangeChain, &Resource::Tenant(&found.tenant))?;
    let view = found.entry.view();
    change(app, principal, lang, chain, "chain.validators", chain.as_str(), |object| wish.edit(&view, object)).await
}
