//! The module `anchor`: records of files whose digests stand in the log, and batches of digests.

use super::{ArgKind, KindSpec, ModuleSpec, call, field, optional, required};
use crate::manifest::fields::FieldType;
use crate::manifest::refusals::Code;

pub(super) const ANCHOR: ModuleSpec = ModuleSpec {
    name: "anchor",
    version: 1,
    title: ("存证", "Anchored evidence"),
    calls: &[
        call(
            "anchor",
            ("存证", "Anchor"),
            &[
                required("fields", ArgKind::Fields, ("内容", "Content")),
                optional("files", ArgKind::Digests, ("文件指纹", "Digests of files")),
            ],
        ),
        call(
            "append",
            ("补充", "Supplement"),
            &[
                required("number", ArgKind::Text, ("编号", "Number")),
                optional("fields", ArgKind::Fields, ("内容", "Content")),
                optional("files", ArgKind::Digests, ("文件指纹", "Digests of files")),
            ],
        ),
        call(
            "withdraw",
            ("撤回", "Withdraw"),
            &[
                required("number", ArgKind::Text, ("编号", "Number")),
                optional("reason", ArgKind::Text, ("理由", "Reason")),
            ],
        ),
        call(
            "digests",
            ("批量存证", "Anchor a batch of digests"),
            &[required("digests", ArgKind::Digests, ("指纹", "Digests"))],
        ),
        call(
            "register",
            ("登记声明", "Register a signed statement"),
            &[required("statement", ArgKind::Bytes, ("签名声明", "Signed statement (COSE)"))],
        ),
    ],
    guards: &["owner_appends_only", "withdraw_needs_reason", "clock_offset_max"],
    kinds: &[KindSpec {
        name: "",
        fields: &[
            field("status", FieldType::Enum, ("状态", "Status")),
            field("organisation", FieldType::Organisation, ("登记机构", "Organisation")),
            field("anchored_at", FieldType::Datetime, ("上链时间", "Anchored at")),
            field("changed_at", FieldType::Datetime, ("最近变更", "Last changed")),
            field("version", FieldType::Integer, ("版次", "Version")),
            field("reason", FieldType::Text, ("撤回理由", "Reason of withdrawal")),
        ],
        own_fields: true,
        states: &["anchored", "withdrawn"],
    }],
    events: &["anchored", "appended", "withdrawn", "digests_anchored", "statement_registered"],
    refusals: &[
        Code::ListSize,
        Code::BatchNotAllowed,
        Code::RecordsNotAllowed,
        Code::FieldUnknown,
        Code::FieldMissing,
        Code::FieldInvalid,
        Code::FilesNotAllowed,
        Code::ReasonMissing,
        Code::TimeInFuture,
        Code::RecordUnknown,
        Code::RecordWithdrawn,
        Code::NotOwner,
        Code::StatementInvalid,
        Code::StatementSignature,
        Code::StatementExists,
        Code::IssuerUnknown,
    ],
};
