//! Every reason for which a call changes nothing: a stable code for programs and a sentence in both languages for people.
//!
//! The runtime refuses with these codes and no others; console, gateway and help take their words from here. A sentence
//! says what is wrong and, where the caller can do something about it, what; `{name}` is a parameter of the refusal.

use std::collections::BTreeMap;

use super::braces::names_in_braces;
use super::faults::Fault;
use crate::genesis::Text;
use crate::outcome::Refusal;

macro_rules! codes {
    ($($variant:ident $code:literal $zh:literal $en:literal;)*) => {
        /// Why a call was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $en] $variant,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// Sentence templates, Chinese and English, with `{name}` for parameters.
            pub const fn sentences(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$variant => ($zh, $en),)*
                }
            }
        }
    };
}

codes! {
    // The caller and the call itself.
    WrongChain "wrong_chain" "这笔交易是发给另一条链的" "this transaction was signed for another chain";
    AccountUnbound "account_unbound" "签名密钥在本链没有账户，请让本机构管理员先绑定" "the signing key has no account on this chain; ask an administrator of your organisation to bind it";
    AccountSuspended "account_suspended" "账户已停用，请联系本机构管理员" "the account is suspended; ask an administrator of your organisation";
    AppUnknown "app_unknown" "本链没有应用 {app}" "this chain has no application {app}";
    AppSuspended "app_suspended" "应用 {app} 已暂停" "application {app} is suspended";
    AppUninstalled "app_uninstalled" "应用 {app} 已卸载，历史仍可查阅" "application {app} is uninstalled; its history stays readable";
    InstanceUnknown "instance_unknown" "应用 {app} 没有模块实例 {instance}" "application {app} has no instance {instance}";
    MethodUnknown "method_unknown" "{instance} 没有操作 {method}" "{instance} has no call {method}";
    BadArguments "bad_arguments" "参数不符合 {method} 的格式，请对照该操作的说明" "the arguments do not fit {method}; compare them with its description";
    ListSize "list_size" "{name} 应有 {min} 到 {max} 项" "{name} must have {min} to {max} items";
    RoleMissing "role_missing" "账户没有可执行 {call} 的角色" "the account has no role that may call {call}";
    NotAdministrator "not_administrator" "只有机构管理员可以这样做" "only an administrator of an organisation may do this";

    // Identity and governance.
    AccountExists "account_exists" "密钥 {key} 已绑定账户" "key {key} is bound to an account already";
    AccountUnknown "account_unknown" "密钥 {key} 没有账户" "key {key} has no account";
    AccountStatus "account_status" "账户已经是 {status} 状态" "the account is {status} already";
    OtherOrganisation "other_organisation" "该账户属于机构 {organisation}，只能由其管理员处理" "the account belongs to {organisation}; only its administrators may do this";
    SelfSuspension "self_suspension" "管理员不能停用自己的账户" "an administrator cannot suspend the own account";
    CustodyClaim "custody_claim" "平台托管的密钥不能绑定自持密钥的管理员" "a key held by the platform cannot bind an administrator as holding its own key";
    LabelInvalid "label_invalid" "账户名称须为 1 到 40 个字符" "an account label has 1 to 40 characters";
    NameInvalid "name_invalid" "{name} 不是有效名称：以小写字母开头，只含小写字母、数字和连字符，至多 30 位" "{name} is not a name: start with a lower-case letter, then lower-case letters, digits and hyphens, 30 at most";
    TitleInvalid "title_invalid" "名称须有中文和英文，各不超过 100 个字符" "a title needs Chinese and English, 100 characters each at most";
    OrganisationExists "organisation_exists" "机构 {organisation} 已存在" "organisation {organisation} exists already";
    OrganisationUnknown "organisation_unknown" "本链没有机构 {organisation}" "this chain has no organisation {organisation}";
    ProposalUnknown "proposal_unknown" "没有提案 {proposal}" "there is no proposal {proposal}";
    ProposalClosed "proposal_closed" "提案 {proposal} 已执行" "proposal {proposal} has been carried out";
    ApprovalRepeated "approval_repeated" "机构 {organisation} 已同意该提案" "{organisation} has approved this proposal already";
    NotApprover "not_approver" "机构 {organisation} 无权同意本链的提案" "{organisation} does not approve proposals of this chain";
    OwnKeyNeeded "own_key_needed" "本链的提案须用自持密钥同意，平台托管密钥不算" "proposals of this chain are approved with keys that their owners hold; a key held by the platform does not count";

    // The validator set.
    NotSteward "not_steward" "只有链管家可以直接更换验证者；机构管理员请提案" "only the chain's steward changes validators directly; administrators propose it";
    MembershipByProposal "membership_by_proposal" "本链的验证者须经提案更换" "validators of this chain are changed by proposal";
    SetChangePending "set_change_pending" "上一次更换从高度 {height} 起生效，届时才能再次更换" "the change before takes effect at height {height}; the next one can be made from then on";
    ValidatorUnknown "validator_unknown" "没有共识公钥为 {key} 的验证者" "no validator has consensus key {key}";
    ValidatorKeyTaken "validator_key_taken" "公钥 {key} 已是验证者的密钥，或重复出现" "key {key} is a validator's key already, or stands in the change twice";
    ValidatorKeyInvalid "validator_key_invalid" "{key} 不是可用于签名的 Ed25519 公钥" "{key} is not an Ed25519 key that can sign";
    TooFewValidators "too_few_validators" "一条链至少保留 {min} 个验证者" "a chain keeps at least {min} validators";
    TooManyValidators "too_many_validators" "一条链至多有 {max} 个验证者" "a chain has at most {max} validators";
    RulesPending "rules_pending" "规则 {version} 已定于高度 {height} 生效，届时才能再次升级" "rules {version} take effect at height {height}; the next upgrade can be agreed on from then on";
    RulesNotNext "rules_not_next" "只能升级到规则 {version}" "rules are upgraded one by one: the next are {version}";
    RulesTooSoon "rules_too_soon" "规则最早可从高度 {height} 起升级" "rules can change from height {height} on at the earliest";

    // Applications.
    AppExists "app_exists" "应用 {app} 已安装过，请换一个名称" "application {app} was installed already; choose another name";
    AppStatus "app_status" "应用已经是 {status} 状态" "the application is {status} already";
    NotAppOwner "not_app_owner" "只有安装该应用的机构 {organisation} 的管理员可以这样做" "only administrators of {organisation}, which installed the application, may do this";
    ManifestInvalid "manifest_invalid" "清单在 {path} 处有误，请先用模板检查找出原因" "the manifest is wrong at {path}; check the template to learn why";
    ManifestTooLarge "manifest_too_large" "清单有 {bytes} 字节，上限 {limit}" "the manifest has {bytes} bytes; the limit is {limit}";
    OtherTemplate "other_template" "应用来自模板 {template}，不能用别的模板升级" "the application comes from template {template}; another template is no upgrade";
    VersionNotHigher "version_not_higher" "已安装版本 {version}，升级须更高" "version {version} is installed; an upgrade must be higher";
    UpgradeIncompatible "upgrade_incompatible" "新版本改动了已有数据依赖的 {path}" "the new version changes {path}, on which existing data depends";
    RoleUnknown "role_unknown" "应用没有角色 {role}" "the application has no role {role}";
    RoleNotAdmitted "role_not_admitted" "机构 {organisation} 未获准担任角色 {role}" "{organisation} is not admitted to role {role}";

    // Fields of records.
    FieldUnknown "field_unknown" "没有可上链的字段 {field}" "there is no field {field} that goes on chain";
    FieldMissing "field_missing" "缺少必填项 {field}" "{field} is required";
    FieldInvalid "field_invalid" "{field} 无效：{fault}" "{field} is invalid: {fault}";
    ReasonMissing "reason_missing" "请填写理由" "a reason is required";
    TimeInFuture "time_in_future" "{field} 晚于链上时间超过 {limit_ms} 毫秒，请校准设备时钟" "{field} is more than {limit_ms} ms ahead of the chain's clock; set the device's clock";

    // Anchored records.
    BatchNotAllowed "batch_not_allowed" "{instance} 不接受批量指纹" "{instance} takes no batches of digests";
    RecordsNotAllowed "records_not_allowed" "{instance} 只接受批量指纹，没有记录" "{instance} takes batches of digests only, no records";
    FilesNotAllowed "files_not_allowed" "这类记录没有文件" "records of this type have no files";
    RecordUnknown "record_unknown" "没有编号为 {number} 的记录" "there is no record {number}";
    RecordWithdrawn "record_withdrawn" "记录 {number} 已撤回" "record {number} is withdrawn";
    NotOwner "not_owner" "只有登记机构 {organisation} 可以这样做" "only {organisation}, which made the record, may do this";

    // Registered statements.
    StatementInvalid "statement_invalid" "这份声明不能登记（{reason}），请对照登记要求" "the statement cannot be registered ({reason}); compare it with what registration asks for";
    StatementSignature "statement_signature" "声明的签名无效" "the statement's signature does not verify";
    StatementExists "statement_exists" "声明 {id} 已登记" "statement {id} is registered already";
    IssuerUnknown "issuer_unknown" "声明的签发密钥 {key} 在本链没有可用的账户" "the statement is signed by key {key}, which has no active account on this chain";

    // Light clients of other chains.
    NotOperator "not_operator" "只有平台运营机构 {organisation} 的管理员可以这样做" "only administrators of {organisation}, which runs the platform, may do this";
    GenesisInvalid "genesis_invalid" "这份创世文件不能用于见证（{reason}）" "this genesis cannot be witnessed ({reason})";
    ClientExists "client_exists" "链 {chain} 已有见证" "chain {chain} has a light client here already";
    ClientUnknown "client_unknown" "本链没有见证链 {chain}" "this chain has no light client of {chain}";
    ClientFrozen "client_frozen" "链 {chain} 出现过分叉，见证已冻结" "chain {chain} has been seen to fork; its light client is frozen";
    ClientExpired "client_expired" "链 {chain} 的见证已超过信任期，须由平台运营机构的管理员核对后恢复" "trust in what is stored of chain {chain} has expired; an administrator of the platform's organisation has to compare and renew it";
    HeaderNotNewer "header_not_newer" "已登记到高度 {height}，只接受更新的区块头" "headers are stored up to height {height}; only newer ones are taken";
    UpdateInvalid "update_invalid" "区块头没有通过验证（{reason}）" "the header does not verify ({reason})";
    NoFork "no_fork" "这两个区块头不构成分叉" "these two headers are no fork";

    // Traced goods.
    CodeInvalid "code_invalid" "码 {code} 格式或校验位不对" "code {code} has a wrong form or check digit";
    CodeRepeated "code_repeated" "码 {code} 在列表中出现两次" "code {code} stands in the list twice";
    CodeExists "code_exists" "码 {code} 已赋码" "code {code} is commissioned already";
    CodeUnknown "code_unknown" "查无此码 {code}" "there is no code {code}";
    CodeOtherProduct "code_other_product" "码 {code} 不属于产品 {product}" "code {code} does not belong to product {product}";
    ProductExists "product_exists" "产品 {product} 已登记" "product {product} is registered already";
    ProductUnknown "product_unknown" "产品 {product} 未登记" "product {product} is not registered";
    LotInvalid "lot_invalid" "批号须为 1 到 {max} 个字母、数字、点、连字符或下划线" "a lot number has 1 to {max} letters, digits, dots, hyphens or underscores";
    LotExists "lot_exists" "批次 {lot} 已建立" "lot {lot} exists already";
    LotUnknown "lot_unknown" "没有批次 {lot}" "there is no lot {lot}";
    LotRecalled "lot_recalled" "批次 {lot} 正在召回" "lot {lot} is being recalled";
    DatesReversed "dates_reversed" "{late} 不能早于 {early}" "{late} must not be before {early}";
    QuantityExceeded "quantity_exceeded" "批次 {lot} 还能赋码 {left} 件" "lot {lot} has room for {left} more codes";
    NotHolder "not_holder" "码 {code} 现由 {holder} 持有，只有持有者可以操作" "code {code} is held by {holder}; only the holder may do this";
    ItemInTransit "item_in_transit" "码 {code} 正在运往 {to}，收货后才能操作" "code {code} is on its way to {to}; it must be received first";
    ItemNotInTransit "item_not_in_transit" "码 {code} 没有在途发货，无法收货" "code {code} was not shipped and cannot be received";
    ItemDestroyed "item_destroyed" "码 {code} 已销毁" "code {code} is destroyed";
    AlreadySold "already_sold" "码 {code} 已经售出" "code {code} has been sold already";
    ReceiverMismatch "receiver_mismatch" "码 {code} 的收货方应为 {to}" "code {code} was shipped to {to}, who alone may receive it";
    SameOrganisation "same_organisation" "不能发货给自己" "goods cannot be shipped to their sender";
    Expired "expired" "批次 {lot} 已于 {date} 过期，不能销售" "lot {lot} expired on {date} and cannot be sold";
    RecallUnknown "recall_unknown" "没有召回 {recall}" "there is no recall {recall}";
    RecallIsClosed "recall_is_closed" "召回 {recall} 已结束" "recall {recall} is closed already";
    RecallOpenItems "recall_open_items" "批次 {lot} 还有 {open} 件未售未销毁，召回不能结束" "lot {lot} still has {open} items neither sold nor destroyed; the recall cannot be closed";
}

impl Code {
    /// The code of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.as_str() == name)
    }

    /// The names of the parameters that its sentences use.
    pub fn params(self) -> Vec<&'static str> {
        let (zh, en) = self.sentences();
        let mut names: Vec<&str> = [zh, en].into_iter().flat_map(names_in_braces).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A refusal with this code.
    pub fn refusal<const N: usize>(self, params: [(&str, String); N]) -> Refusal {
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Refusal { code: self.as_str().to_owned(), params }
    }
}

/// Every code with its sentence templates, for help pages and translations.
pub fn refusals() -> BTreeMap<&'static str, Text> {
    let text = |c: &Code| {
        let (zh, en) = c.sentences();
        (c.as_str(), Text { zh: zh.to_owned(), en: en.to_owned() })
    };
    Code::ALL.iter().map(text).collect()
}

/// What a refusal says to a person; a code of a later version is shown as it is.
pub fn sentence(refusal: &Refusal) -> Text {
    let Some(code) = Code::parse(&refusal.code) else {
        return Text { zh: refusal.code.clone(), en: refusal.code.clone() };
    };
    let (zh, en) = code.sentences();
    let fault = Fault::of(refusal).map(|f| f.text()).unwrap_or_default();
    Text { zh: fill(zh, refusal, &fault.zh), en: fill(en, refusal, &fault.en) }
}

/// One pass, so that a parameter's value is never taken for the name of another.
fn fill(template: &str, refusal: &Refusal, fault: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(match (name, refusal.params.get(name)) {
            ("fault", Some(_)) => fault,
            (_, Some(value)) => value,
            (_, None) => "…",
        });
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::FaultKind;

    #[test]
    fn codes_are_distinct_and_both_languages_name_the_same_parameters() {
        assert_eq!(refusals().len(), Code::ALL.len());
        for code in Code::ALL {
            let (zh, en) = code.sentences();
            let (mut a, mut b): (Vec<_>, Vec<_>) = (names_in_braces(zh).collect(), names_in_braces(en).collect());
            a.sort_unstable();
            b.sort_unstable();
            assert_eq!(a, b, "{}", code.as_str());
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
    }

    #[test]
    fn a_parameter_is_never_read_as_a_template() {
        let refusal = Code::NotHolder.refusal([("code", "{holder}".into()), ("holder", "seller".into())]);
        assert!(sentence(&refusal).en.starts_with("code {holder} is held by seller"));
        let fault = Fault { min: 1, max: 9, ..FaultKind::Length.into() };
        let mut refusal = Code::FieldInvalid.refusal(fault.params());
        refusal.params.insert("field".into(), "title".into());
        assert_eq!(sentence(&refusal).en, "title is invalid: must have 1 to 9 characters");
        assert_eq!(sentence(&refusal).zh, "title 无效：应为 1 到 9 个字符");
        let later = Refusal { code: "from_the_future".into(), params: BTreeMap::new() };
        assert_eq!(sentence(&later).zh, "from_the_future");
    }
}
