//! What can be wrong with a value: a stable code with its bounds for results on chain, and words for people.
//!
//! Results are hashed into headers, so a refusal carries codes and numbers and never a sentence: words may improve in a
//! later release, and the same block must still give the same bytes.

use super::codes::Check;
use crate::genesis::Text;
use crate::outcome::Refusal;

macro_rules! faults {
    ($($variant:ident $code:literal $zh:literal $en:literal;)*) => {
        /// The kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultKind {
            $(#[doc = $en] $variant,)*
        }

        impl FaultKind {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            const fn words(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$variant => ($zh, $en),)*
                }
            }
        }
    };
}

faults! {
    OffChain "off_chain" "该字段不上链" "this field stays off chain";
    Commitment "commitment" "应为 32 字节加盐摘要" "expected a salted digest of 32 bytes";
    Type "type" "类型不符" "the value is of another type";
    Number "number" "应为数字，如 12.5" "expected a number such as 12.5";
    Whole "whole" "应为整数" "expected a whole number";
    Boolean "boolean" "应为 true 或 false" "expected true or false";
    Amount "amount" "应为金额，如 12.50" "expected an amount such as 12.50";
    Date "date" "应为日期，如 2026-01-31" "expected a date such as 2026-01-31";
    Time "time" "应为时间，如 2026-01-31T09:30" "expected a time such as 2026-01-31T09:30";
    TimeRange "time_range" "时间超出范围" "the time lies outside 1970 to 9999";
    Digest "digest" "应为 64 位十六进制 SHA-256" "expected a SHA-256 of 64 hexadecimal digits";
    Choice "choice" "不是可选的值" "is none of the listed values";
    Organisation "organisation" "应为机构代号" "expected the id of an organisation";
    Control "control" "不能含控制字符" "must not hold control characters";
    Length "length" "应为 {min} 到 {max} 个字符" "must have {min} to {max} characters";
    Range "range" "应在 {min} 到 {max} 之间" "must lie between {min} and {max}";
    Least "least" "不能小于 {min}" "must not be less than {min}";
    Files "files" "应有 {min} 到 {max} 个文件" "must have {min} to {max} files";
    Uscc "uscc" "应为 18 位统一社会信用代码" "expected a unified social credit code of 18 characters";
    Gtin14 "gtin14" "应为 14 位 GTIN，末位为校验位" "expected a GTIN of 14 digits with its check digit";
    Iso7064 "iso7064_mod37_36" "应为带校验位的标识码（ISO 7064 MOD 37,36）" "expected an identifier with its ISO 7064 MOD 37,36 check character";
    DrugCode "drug_code" "应为以 8 开头的 20 位药品追溯码" "expected a drug trace code: 20 digits that begin with 8";
    PesticideCode "pesticide_code" "应为 32 位农药单元识别代码" "expected a pesticide unit code of 32 digits";
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// Least and greatest value, length or count, where the kind has them.
    pub min: i64,
    pub max: i64,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind, min: 0, max: 0 }
    }
}

impl From<Check> for FaultKind {
    fn from(check: Check) -> Self {
        match check {
            Check::Uscc => Self::Uscc,
            Check::Gtin14 => Self::Gtin14,
            Check::Iso7064Mod37_36 => Self::Iso7064,
            Check::DrugCode => Self::DrugCode,
            Check::PesticideCode => Self::PesticideCode,
        }
    }
}

pub(super) fn fault<T>(kind: FaultKind) -> Result<T, Fault> {
    Err(kind.into())
}

pub(super) fn bounds<T>(kind: FaultKind, min: i64, max: i64) -> Result<T, Fault> {
    Err(Fault { kind, min, max })
}

impl Fault {
    /// What a person is told.
    pub fn text(&self) -> Text {
        let (zh, en) = self.kind.words();
        let fill = |t: &str| t.replace("{min}", &self.min.to_string()).replace("{max}", &self.max.to_string());
        Text { zh: fill(zh), en: fill(en) }
    }

    /// Its parameters in a refusal.
    pub fn params(&self) -> [(&'static str, String); 3] {
        [("fault", self.kind.code().to_owned()), ("min", self.min.to_string()), ("max", self.max.to_string())]
    }

    /// The fault that a refusal carries.
    pub fn of(refusal: &Refusal) -> Option<Self> {
        let number = |name| refusal.params.get(name).and_then(|n| n.parse().ok());
        let kind =
            FaultKind::ALL.iter().copied().find(|k| refusal.params.get("fault").is_some_and(|c| c == k.code()))?;
        Some(Self { kind, min: number("min").unwrap_or(0), max: number("max").unwrap_or(0) })
    }
}
