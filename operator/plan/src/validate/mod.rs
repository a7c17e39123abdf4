//! A chain's spec as a person wrote it → a [`ValidChain`], or every mistake with its field. Every user mistake ends here.
//!
//! It judges the spec against its tenant, the city's names and versions and the tenant's quota; never against what is
//! running (that is [`crate::change`]). Reading text into the spec's types is `operator-api`'s part.

pub(crate) mod members;

use std::collections::{BTreeMap, BTreeSet};

use operator_api::{
    ChainId, ChainSpec, ChainState, Custody, Governance, Membership, Name, Organisation, PublicKey, Resources,
    TenantSpec, Text, Usage, ValidatorName, ValidatorState, Version,
};

use crate::quorum::Quorum;

/// What the spec is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub city: &'a Name,
    pub tenant_name: &'a Name,
    pub tenant: &'a TenantSpec,
    /// Every other chain of the city with its tenant; this chain is not among them when it is changed.
    pub other_chains: &'a BTreeMap<Name, Name>,
    /// What the tenant's other chains use of its quota.
    pub used: Usage,
    /// The node programs that can be run here.
    pub versions: &'a BTreeSet<Version>,
    /// When the chain was asked for; becomes genesis time, so it must not change afterwards.
    pub created_ms: u64,
}

/// One mistake: where it is and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path in the object, as `spec.validators.count`.
    pub field: String,
    pub reason: Text,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { field: field.into(), reason: Text::new(zh, en) }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.reason.en)
    }
}

/// A validator that the chain should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: ValidatorName,
    /// Who runs it. Pinned by its keys once they are made.
    pub organisation: Name,
    pub desired: ValidatorState,
}

/// A chain whose spec holds together. Only [`ValidChain::parse`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidChain {
    pub(crate) id: ChainId,
    pub(crate) title: Text,
    pub(crate) organisations: Vec<Organisation>,
    pub(crate) operator: Name,
    pub(crate) members: Vec<Member>,
    /// The spec names the organisation of each validator, rather than sharing out a count.
    pub(crate) named_shares: bool,
    pub(crate) retired: BTreeSet<ValidatorName>,
    pub(crate) governance: Governance,
    pub(crate) membership: Membership,
    pub(crate) heartbeat_ms: u64,
    pub(crate) version: Version,
    pub(crate) resources: Resources,
    pub(crate) state: ChainState,
    pub(crate) public_reads: bool,
    pub(crate) created_ms: u64,
}

impl ValidChain {
    /// All mistakes at once, in the order of the form.
    pub fn parse(name: &Name, spec: &ChainSpec, context: &Context<'_>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        names(name, spec, context, &mut errors);
        tenant(context.tenant, &mut errors);
        let members = members::members(spec, &context.tenant.organisations, &mut errors);
        states(spec, &members, &mut errors);
        limits(spec, context, &mut errors);
        quota(spec, members.len(), context, &mut errors);
        let operator = operator(spec, &context.tenant.organisations, &mut errors);
        governance(spec, &context.tenant.organisations, &mut errors);
        match operator {
            Some(operator) if errors.is_empty() => Ok(Self {
                id: ChainId { city: context.city.clone(), tenant: context.tenant_name.clone(), chain: name.clone() },
                title: spec.title.clone(),
                organisations: context.tenant.organisations.clone(),
                operator,
                members,
                named_shares: spec.validators.count.is_none(),
                retired: spec.retired.clone(),
                governance: spec.governance,
                membership: spec.membership,
                heartbeat_ms: spec.heartbeat_ms,
                version: spec.version,
                resources: spec.resources,
                state: spec.state,
                public_reads: spec.public_reads,
                created_ms: context.created_ms,
            }),
            _ => Err(errors),
        }
    }

    pub fn id(&self) -> &ChainId {
        &self.id
    }

    pub fn title(&self) -> &Text {
        &self.title
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The platform's steward changes the voting set by itself; otherwise the members decide.
    pub fn is_set_delegated(&self) -> bool {
        self.membership == Membership::Delegated && self.governance == Governance::Platform
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// Organisations whose administrator key genesis needs, with the key where the spec itself brings it.
    pub fn organisations(&self) -> impl Iterator<Item = (&Name, Option<PublicKey>)> {
        self.organisations.iter().map(|organisation| (&organisation.id, organisation.public_key))
    }

    /// What this chain takes of its tenant's quota.
    pub fn usage(&self) -> Usage {
        usage(self.members.len(), self.resources)
    }

    /// How many validators it should have.
    pub fn count(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn organisation_title(&self, id: &Name) -> Text {
        let found = self.organisations.iter().find(|organisation| &organisation.id == id);
        found.map_or_else(|| Text::same(id.as_str()), |organisation| organisation.title.clone())
    }
}

fn usage(members: usize, resources: Resources) -> Usage {
    let validators = u32::try_from(members).unwrap_or(u32::MAX);
    Usage { chains: 1, validators, storage_gib: validators.saturating_mul(resources.storage_gib) }
}

fn names(name: &Name, spec: &ChainSpec, context: &Context<'_>, errors: &mut Vec<FieldError>) {
    if let Some(owner) = context.other_chains.get(name) {
        errors.push(FieldError::new(
            "metadata.name",
            format!("租户 {owner} 已有名为 {name} 的链；链名在全市唯一，请换一个名称"),
            format!(
                "tenant {owner} already has a chain `{name}`; a chain's name is unique in the city, choose another"
            ),
        ));
    }
    if &spec.tenant != context.tenant_name {
        errors.push(FieldError::new(
            "spec.tenant",
            format!("租户应为 {}", context.tenant_name),
            format!("must be `{}`, the tenant that this chain is made for", context.tenant_name),
        ));
    }
    title("spec.title", &spec.title, errors);
}

/// Both languages, and short enough for one line of a page.
fn title(field: &str, text: &Text, errors: &mut Vec<FieldError>) {
    for (language, words) in [("zh", &text.zh), ("en", &text.en)] {
        let length = words.chars().count();
        if words.trim().is_empty() || length > 60 {
            errors.push(FieldError::new(
                format!("{field}.{language}"),
                "请填写 1 至 60 个字",
                format!("must have 1 to 60 characters, has {length}"),
            ));
        }
    }
}

fn tenant(tenant: &TenantSpec, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for organisation in &tenant.organisations {
        let id = &organisation.id;
        if !seen.insert(id) {
            errors.push(FieldError::new(
                "tenant.organisations",
                format!("机构 {id} 出现了两次"),
                format!("organisation `{id}` is listed twice"),
            ));
        }
        match (organisation.custody, organisation.public_key) {
            (Custody::Own, None) => errors.push(FieldError::new(
                "tenant.organisations",
                format!("机构 {id} 自持密钥，请填写它的公钥（publicKey）"),
                format!("organisation `{id}` holds its own key (custody: self): give its `publicKey`"),
            )),
            (Custody::Platform, Some(_)) => errors.push(FieldError::new(
                "tenant.organisations",
                format!("机构 {id} 的密钥由平台托管，不要填写 publicKey；要自持请用 custody: self"),
                format!(
                    "organisation `{id}` has a `publicKey` although the platform holds its key: remove it, or say \
                     `custody: self`"
                ),
            )),
            _ => {}
        }
    }
}

/// Validators that should be off must exist and must leave a quorum. A hibernated chain is off as a whole, and its wish for
/// each validator counts when it wakes.
fn states(spec: &ChainSpec, members: &[Member], errors: &mut Vec<FieldError>) {
    if members.is_empty() {
        return;
    }
    let all = members.len();
    let unknown = |name: &&ValidatorName| !members.iter().any(|member| member.name == **name);
    for name in spec.validator_states.keys().filter(unknown) {
        errors.push(FieldError::new(
            format!("spec.validatorStates.{name}"),
            format!("没有 {name}：本链有 {all} 个验证者"),
            format!("there is no {name}: this chain has {all} validators"),
        ));
    }
    let count = u32::try_from(all).unwrap_or(u32::MAX);
    let off = spec.validator_states.values().filter(|state| **state != ValidatorState::Running).count();
    let running = count.saturating_sub(u32::try_from(off).unwrap_or(u32::MAX));
    let quorum = Quorum::of(count);
    if !quorum.held_by(running) {
        let needed = quorum.needed();
        errors.push(FieldError::new(
            "spec.validatorStates",
            format!("{count} 个验证者，法定数 {needed}：只有 {running} 个应运行，链无法出块；要停用整条链请用休眠"),
            format!(
                "{count} validators, quorum {needed}: only {running} should run, so no block could be made; to stop the \
                 whole chain set `state: hibernated`"
            ),
        ));
    }
}

fn limits(spec: &ChainSpec, context: &Context<'_>, errors: &mut Vec<FieldError>) {
    if !(1_000..=86_400_000).contains(&spec.heartbeat_ms) {
        errors.push(FieldError::new(
            "spec.heartbeatMs",
            "心跳间隔须在 1 秒（1000）到 1 天（86400000）之间",
            format!("must lie between 1000 (1 second) and 86400000 (1 day), is {}", spec.heartbeat_ms),
        ));
    }
    if !context.versions.contains(&spec.version) {
        let known: Vec<String> = context.versions.iter().map(ToString::to_string).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        errors.push(FieldError::new(
            "spec.version",
            format!("没有节点程序 {}；可用版本：{known}", spec.version),
            format!("node version {} is not available here; available: {known}", spec.version),
        ));
    }
    if !(64..=65_536).contains(&spec.resources.memory_mib) {
        errors.push(FieldError::new(
            "spec.resources.memoryMib",
            "每个验证者的内存须在 64 至 65536 MiB 之间",
            format!("must lie between 64 and 65536, is {}", spec.resources.memory_mib),
        ));
    }
    if !(1..=16_384).contains(&spec.resources.storage_gib) {
        errors.push(FieldError::new(
            "spec.resources.storageGib",
            "每个验证者的存储须在 1 至 16384 GiB 之间",
            format!("must lie between 1 and 16384, is {}", spec.resources.storage_gib),
        ));
    }
}

/// What the tenant would use with this chain, against what it may use.
fn quota(spec: &ChainSpec, members: usize, context: &Context<'_>, errors: &mut Vec<FieldError>) {
    let (asked, used, quota) = (usage(members, spec.resources), context.used, context.tenant.quota);
    let rows = [
        ("metadata.name", "链", "chains", asked.chains, used.chains, quota.chains),
        ("spec.validators", "验证者", "validators", asked.validators, used.validators, quota.validators),
        (
            "spec.resources.storageGib",
            "GiB 存储",
            "GiB of storage",
            asked.storage_gib,
            used.storage_gib,
            quota.storage_gib,
        ),
    ];
    for (field, zh, en, asked, used, allowed) in rows {
        if asked.saturating_add(used) > allowed {
            let left = allowed.saturating_sub(used);
            errors.push(FieldError::new(
                field,
                format!("租户配额为 {allowed} {zh}，已用 {used}，剩 {left}，本链需要 {asked}；请减少或请平台提高配额"),
                format!(
                    "the tenant's quota is {allowed} {en}, {used} used, {left} left, and this chain needs {asked}; ask for \
                     less or have the quota raised"
                ),
            ));
        }
    }
}

fn operator(spec: &ChainSpec, organisations: &[Organisation], errors: &mut Vec<FieldError>) -> Option<Name> {
    match &spec.operator {
        None => organisations.first().map(|first| first.id.clone()),
        Some(operator) => {
            if !organisations.iter().any(|organisation| &organisation.id == operator) {
                errors.push(FieldError::new(
                    "spec.operator",
                    format!("{operator} 不是本租户的机构"),
                    format!("`{operator}` is not an organisation of the tenant"),
                ));
            }
            Some(operator.clone())
        }
    }
}

/// Self-governance without enough self-held keys would be the platform's under another name.
fn governance(spec: &ChainSpec, organisations: &[Organisation], errors: &mut Vec<FieldError>) {
    let own = organisations.iter().filter(|organisation| organisation.custody == Custody::Own).count();
    if spec.governance == Governance::Own && own * 2 <= organisations.len() {
        let all = organisations.len();
        errors.push(FieldError::new(
            "spec.governance",
            format!("自治需要过半机构自持密钥：{all} 个机构中只有 {own} 个自持"),
            format!(
                "governance `self` needs more than half of the organisations to hold their own keys: {own} of {all} do"
            ),
        ));
    }
}

#[cfg(test)]
mod tests;
