//! The module `trace`: products, lots and items, who holds them, what happened to them.

use super::{ArgKind, ArgSpec, KindSpec, ModuleSpec, call, field, optional, required};
use crate::manifest::fields::FieldType;
use crate::manifest::refusals::Code;

const PRODUCT: ArgSpec = required("product", ArgKind::Text, ("产品码", "Product code"));
const LOT: ArgSpec = required("lot", ArgKind::Text, ("批号", "Lot number"));
const CODES: ArgSpec = required("codes", ArgKind::Texts, ("追溯码", "Item codes"));
/// Time and place in the world: `{time_ms, read_point, biz_location}`.
const AT: ArgSpec = optional("at", ArgKind::Open, ("时间与地点", "Time and place"));

pub(super) const TRACE: ModuleSpec = ModuleSpec {
    name: "trace",
    version: 1,
    title: ("追溯", "Traceability"),
    calls: &[
        call(
            "register_product",
            ("登记产品", "Register a product"),
            &[PRODUCT, required("fields", ArgKind::Fields, ("产品信息", "About the product"))],
        ),
        call(
            "open_lot",
            ("建立批次", "Open a lot"),
            &[
                PRODUCT,
                LOT,
                optional("made_on", ArgKind::Date, ("生产日期", "Made on")),
                optional("expire_on", ArgKind::Date, ("到期日", "Expires on")),
                optional("quantity", ArgKind::Integer, ("数量", "Quantity")),
                optional("place", ArgKind::Text, ("产地", "Place")),
                optional("line", ArgKind::Text, ("生产线", "Line")),
            ],
        ),
        call("commission", ("赋码", "Commission codes"), &[PRODUCT, LOT, CODES, AT]),
        call(
            "ship",
            ("发货", "Ship"),
            &[CODES, optional("destination", ArgKind::Text, ("收货机构", "Destination")), AT],
        ),
        call("receive", ("收货", "Receive"), &[CODES, AT]),
        call("sell", ("销售", "Sell"), &[CODES, AT]),
        call(
            "destroy",
            ("销毁", "Destroy"),
            &[
                CODES,
                required("reason", ArgKind::Text, ("理由", "Reason")),
                optional("photo", ArgKind::Digest, ("照片指纹", "Digest of a photo")),
                AT,
            ],
        ),
        call(
            "open_recall",
            ("发起召回", "Open a recall"),
            &[
                required("lots", ArgKind::Open, ("批次", "Lots")),
                required("level", ArgKind::Integer, ("级别", "Level")),
                required("reason", ArgKind::Text, ("原因", "Reason")),
                required("measures", ArgKind::Text, ("措施", "Measures")),
                optional("deadline", ArgKind::Date, ("期限", "Deadline")),
            ],
        ),
        call(
            "close_recall",
            ("结束召回", "Close a recall"),
            &[
                required("recall", ArgKind::Integer, ("召回号", "Recall")),
                required("summary", ArgKind::Text, ("处置情况", "Summary")),
            ],
        ),
        call(
            "record_scans",
            ("汇总查询次数", "Record scans"),
            &[required("counts", ArgKind::Open, ("次数", "Counts"))],
        ),
    ],
    guards: &[
        "holder_of_record",
        "receiver_matches",
        "no_event_after_destroyed",
        "not_expired_to_sell",
        "sold_once",
        "recall_blocks_sale",
        "recall_closes_when_all_disposed",
    ],
    kinds: &[PRODUCTS, LOTS, ITEMS, EVENTS, RECALLS],
    events: &[
        "product_registered",
        "lot_opened",
        "commissioned",
        "shipped",
        "received",
        "pedigree_broken",
        "sold",
        "sold_again",
        "destroyed",
        "recall_opened",
        "recall_closed",
        "scans_recorded",
    ],
    refusals: &[
        Code::ListSize,
        Code::FieldUnknown,
        Code::FieldMissing,
        Code::FieldInvalid,
        Code::TimeInFuture,
        Code::OrganisationUnknown,
        Code::NotOwner,
        Code::CodeInvalid,
        Code::CodeRepeated,
        Code::CodeExists,
        Code::CodeUnknown,
        Code::CodeOtherProduct,
        Code::ProductExists,
        Code::ProductUnknown,
        Code::LotInvalid,
        Code::LotExists,
        Code::LotUnknown,
        Code::LotRecalled,
        Code::DatesReversed,
        Code::QuantityExceeded,
        Code::NotHolder,
        Code::ItemInTransit,
        Code::ItemNotInTransit,
        Code::ItemDestroyed,
        Code::AlreadySold,
        Code::ReceiverMismatch,
        Code::SameOrganisation,
        Code::Expired,
        Code::RecallUnknown,
        Code::RecallIsClosed,
        Code::RecallOpenItems,
    ],
};

const PRODUCTS: KindSpec = KindSpec {
    name: "product",
    fields: &[
        field("product", FieldType::Code, ("产品码", "Product code")),
        field("organisation", FieldType::Organisation, ("生产主体", "Producer")),
        field("registered_at", FieldType::Datetime, ("登记时间", "Registered at")),
    ],
    own_fields: true,
    states: &[],
};

const LOTS: KindSpec = KindSpec {
    name: "lot",
    fields: &[
        field("lot", FieldType::Text, ("批号", "Lot")),
        field("product", FieldType::Code, ("产品", "Product")),
        field("organisation", FieldType::Organisation, ("生产主体", "Producer")),
        field("made_on", FieldType::Date, ("生产日期", "Made on")),
        field("expire_on", FieldType::Date, ("到期日", "Expires on")),
        field("quantity", FieldType::Quantity, ("数量", "Quantity")),
        field("place", FieldType::Place, ("产地", "Place")),
        field("line", FieldType::Text, ("生产线", "Line")),
        field("commissioned", FieldType::Quantity, ("已赋码", "Commissioned")),
        field("sold", FieldType::Quantity, ("已售", "Sold")),
        field("destroyed", FieldType::Quantity, ("已销毁", "Destroyed")),
        field("status", FieldType::Enum, ("状态", "Status")),
        field("recall", FieldType::Integer, ("召回号", "Recall")),
        field("opened_at", FieldType::Datetime, ("建立时间", "Opened at")),
    ],
    own_fields: false,
    states: &["active", "recalled"],
};

const ITEMS: KindSpec = KindSpec {
    name: "item",
    fields: &[
        field("code", FieldType::Code, ("追溯码", "Item code")),
        field("product", FieldType::Code, ("产品", "Product")),
        field("producer", FieldType::Organisation, ("生产主体", "Producer")),
        field("lot", FieldType::Text, ("批号", "Lot")),
        field("made_on", FieldType::Date, ("生产日期", "Made on")),
        field("expire_on", FieldType::Date, ("到期日", "Expires on")),
        field("holder", FieldType::Organisation, ("持有机构", "Holder")),
        field("destination", FieldType::Organisation, ("运往", "On its way to")),
        field("status", FieldType::Enum, ("状态", "Status")),
        field("scans", FieldType::Quantity, ("查询次数", "Scans")),
    ],
    own_fields: true,
    states: &["active", "in_transit", "sold", "destroyed", "recalled"],
};

const EVENTS: KindSpec = KindSpec {
    name: "event",
    fields: &[
        field("eventTime", FieldType::Datetime, ("发生时间", "Event time")),
        field("recordTime", FieldType::Datetime, ("上链时间", "Record time")),
        field("bizStep", FieldType::Enum, ("环节", "Business step")),
        field("disposition", FieldType::Enum, ("处置状态", "Disposition")),
        field("organisation", FieldType::Organisation, ("机构", "Organisation")),
        field("readPoint", FieldType::Place, ("采集点", "Read point")),
        field("bizLocation", FieldType::Place, ("所在地", "Business location")),
    ],
    own_fields: false,
    states: &[],
};

const RECALLS: KindSpec = KindSpec {
    name: "recall",
    fields: &[
        field("recall", FieldType::Integer, ("召回号", "Recall")),
        field("level", FieldType::Integer, ("级别", "Level")),
        field("reason", FieldType::Text, ("原因", "Reason")),
        field("measures", FieldType::Text, ("措施", "Measures")),
        field("deadline", FieldType::Date, ("期限", "Deadline")),
        field("organisation", FieldType::Organisation, ("监管机构", "Regulator")),
        field("status", FieldType::Enum, ("状态", "Status")),
        field("opened_at", FieldType::Datetime, ("发起时间", "Opened at")),
        field("closed_at", FieldType::Datetime, ("结束时间", "Closed at")),
        field("summary", FieldType::Text, ("处置情况", "Summary")),
    ],
    own_fields: false,
    states: &["open", "closed"],
};
