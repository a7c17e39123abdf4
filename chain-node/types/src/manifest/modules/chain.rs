//! The chain's own modules: identity, governance, application.

use super::{ArgKind, ModuleSpec, call, optional, required};
use crate::manifest::refusals::Code;

const KEY: super::ArgSpec = required("key", ArgKind::Key, ("公钥", "Public key"));
const APP: super::ArgSpec = required("app", ArgKind::Text, ("应用", "Application"));
const ROLES: super::ArgSpec = required("roles", ArgKind::Texts, ("角色", "Roles"));

pub(super) const IDENTITY: ModuleSpec = ModuleSpec {
    name: "identity",
    version: 1,
    title: ("身份", "Identity"),
    calls: &[
        call(
            "bind_account",
            ("绑定账户", "Bind an account"),
            &[
                KEY,
                required("label", ArgKind::Text, ("名称", "Label")),
                required("custody", ArgKind::Choice(&["self", "platform"]), ("密钥保管", "Custody of the key")),
                required("administrator", ArgKind::Boolean, ("管理员", "Administrator")),
            ],
        ),
        call("suspend_account", ("停用账户", "Suspend an account"), &[KEY]),
        call("resume_account", ("恢复账户", "Resume an account"), &[KEY]),
    ],
    guards: &[],
    kinds: &[],
    events: &["account_bound", "account_suspended", "account_resumed"],
    refusals: &[
        Code::NotAdministrator,
        Code::AccountExists,
        Code::AccountUnknown,
        Code::AccountStatus,
        Code::OtherOrganisation,
        Code::SelfSuspension,
        Code::CustodyClaim,
        Code::LabelInvalid,
    ],
};

pub(super) const GOVERNANCE: ModuleSpec = ModuleSpec {
    name: "governance",
    version: 1,
    title: ("治理", "Governance"),
    calls: &[
        call("propose", ("提案", "Propose"), &[required("action", ArgKind::Action, ("事项", "Action"))]),
        call("approve", ("同意提案", "Approve"), &[required("proposal", ArgKind::Integer, ("提案号", "Proposal"))]),
        call(
            "change_validators",
            ("更换验证者", "Change the validators"),
            &[required("change", ArgKind::Change, ("变更", "Change"))],
        ),
    ],
    guards: &[],
    kinds: &[],
    events: &["proposed", "approved", "organisation_admitted", "validators_changed", "rules_upgraded"],
    refusals: &[
        Code::NotAdministrator,
        Code::AccountExists,
        Code::NameInvalid,
        Code::TitleInvalid,
        Code::OrganisationExists,
        Code::ProposalUnknown,
        Code::ProposalClosed,
        Code::ApprovalRepeated,
        Code::NotApprover,
        Code::OwnKeyNeeded,
        Code::NotSteward,
        Code::MembershipByProposal,
        Code::SetChangePending,
        Code::OrganisationUnknown,
        Code::ValidatorUnknown,
        Code::ValidatorKeyTaken,
        Code::ValidatorKeyInvalid,
        Code::RulesPending,
        Code::RulesNotNext,
        Code::RulesTooSoon,
        Code::TooFewValidators,
        Code::TooManyValidators,
    ],
};

pub(super) const APPLICATION: ModuleSpec = ModuleSpec {
    name: "application",
    version: 1,
    title: ("应用", "Applications"),
    calls: &[
        call(
            "install",
            ("安装应用", "Install an application"),
            &[
                APP,
                required("template", ArgKind::Text, ("模板", "Template")),
                required("version", ArgKind::Text, ("版本", "Version")),
                required("manifest", ArgKind::Open, ("清单", "Manifest")),
                required("console_hash", ArgKind::Digest, ("页面部分的摘要", "Hash of the console part")),
                optional("answers", ArgKind::Open, ("答案", "Answers")),
            ],
        ),
        call(
            "upgrade",
            ("升级应用", "Upgrade an application"),
            &[
                APP,
                required("template", ArgKind::Text, ("模板", "Template")),
                required("version", ArgKind::Text, ("版本", "Version")),
                required("manifest", ArgKind::Open, ("清单", "Manifest")),
                required("console_hash", ArgKind::Digest, ("页面部分的摘要", "Hash of the console part")),
                optional("answers", ArgKind::Open, ("答案", "Answers")),
            ],
        ),
        call("suspend", ("暂停应用", "Suspend an application"), &[APP]),
        call("resume", ("恢复应用", "Resume an application"), &[APP]),
        call("uninstall", ("卸载应用", "Uninstall an application"), &[APP]),
        call(
            "admit",
            ("准入机构", "Admit an organisation"),
            &[APP, required("organisation", ArgKind::Text, ("机构", "Organisation")), ROLES],
        ),
        call("assign", ("分配角色", "Assign roles"), &[APP, KEY, ROLES]),
        call("unassign", ("收回角色", "Take roles back"), &[APP, KEY]),
    ],
    guards: &[],
    kinds: &[],
    events: &[
        "installed",
        "upgraded",
        "suspended",
        "resumed",
        "uninstalled",
        "organisation_admitted",
        "roles_assigned",
        "roles_unassigned",
    ],
    refusals: &[
        Code::NotAdministrator,
        Code::AccountUnknown,
        Code::OtherOrganisation,
        Code::OrganisationUnknown,
        Code::NameInvalid,
        Code::ListSize,
        Code::AppExists,
        Code::AppStatus,
        Code::NotAppOwner,
        Code::ManifestInvalid,
        Code::ManifestTooLarge,
        Code::OtherTemplate,
        Code::VersionNotHigher,
        Code::UpgradeIncompatible,
        Code::RoleUnknown,
        Code::RoleNotAdmitted,
    ],
};
