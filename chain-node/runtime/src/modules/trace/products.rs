//! Registering products.

use chain_types::manifest::Code;
use serde::Serialize;

use super::calls::RegisterProduct;
use super::config::TraceConfig;
use super::state::{PRODUCT, Product};
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::modules::fields::invalid;

#[derive(Serialize)]
struct ProductRegistered<'a> {
    product: &'a str,
    organisation: &'a str,
}

pub fn register_product(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: RegisterProduct) -> CallResult {
    let code = args.product;
    ensure(config.accepts_product(&code), Code::CodeInvalid, || [("code", code.clone())])?;
    for (name, value) in &args.fields {
        let Some(field) = config.product.get(name) else {
            return refuse(Code::FieldUnknown, [("field", name.clone())]);
        };
        field.accepts(value).map_err(|fault| invalid(name, fault))?;
    }
    if let Some((name, _)) = config.product.iter().find(|(name, f)| f.required && !args.fields.contains_key(*name)) {
        return refuse(Code::FieldMissing, [("field", name.to_owned())]);
    }
    let taken = call.contains(PRODUCT, code.as_bytes())?;
    ensure(!taken, Code::ProductExists, || [("product", code.clone())])?;
    let organisation = call.account.organisation.clone();
    call.emit("product_registered", &ProductRegistered { product: &code, organisation: &organisation })?;
    let product = Product { organisation, fields: args.fields, registered_at: call.block.time_ms };
    call.put(PRODUCT, code.as_bytes(), &product)
}
