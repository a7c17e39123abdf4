//! Sheets of labels: a QR code of the public address and the code in letters. The address comes from the configuration and nowhere else.

use super::Frame;
use crate::applications::records::{self, Asked};
use crate::error::Result;
use crate::http::extract::View;
use axum::response::Response;
use chain_types::manifest::LabelsPage;
use fast_qr::ECL;
use fast_qr::convert::Builder;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::qr::QRBuilder;
use serde_json::{Value as Json, json};

const PER_PAGE: i64 = 60;

/// A QR code as SVG without any style; `None` if the text is too long for one.
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::Q).build().ok()?;
    Some(SvgBuilder::default().margin(2).to_str(&code))
}

pub async fn show(
    view: &View,
    frame: &Frame,
    id: &str,
    labels: &LabelsPage,
    pairs: &[(String, String)],
) -> Result<Response> {
    let words = frame.words(view);
    let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
    let (instance, kind) = (labels.of.instance.as_str(), records::kind_of(&labels.of));
    let page = get("page").parse::<i64>().unwrap_or(1).clamp(1, 100_000);
    let mut equal = Vec::new();
    let lots = records::ids(&view.app, &frame.deployed, instance, "lot", 200).await?;
    if let Some((product, lot)) = get("lot").split_once('/') {
        equal.push(("product".to_owned(), product.to_owned()));
        equal.push(("lot".to_owned(), lot.to_owned()));
    }
    let asked = Asked { text: get("q"), equal, days: Vec::new(), page, per_page: PER_PAGE };
    let (items, total) = records::list(&view.app, &frame.deployed, &labels.of, &asked).await?;
    let sheet: Vec<Json> = items
        .iter()
        .map(|item| {
            let (before, after) = labels.qr.split_once('{').map_or((labels.qr.as_str(), ""), |(before, rest)| {
                (before, rest.split_once('}').map_or("", |(_, after)| after))
            });
            let address = format!("{}{}{after}", before.replace("$public_url", &view.app.config.public_url), item.id);
            let name = item.fields.get("name").and_then(Json::as_str).unwrap_or_default();
            json!({ "code": item.id, "address": address, "qr": qr_svg(&address), "name": name, "lot": item.fields.get("lot") })
        })
        .collect();
    let form = json!({ "lot": get("lot"), "q": get("q") });
    let choices: Vec<Json> = lots.iter().map(|(id, _)| json!({ "value": id, "label": id })).collect();
    let query = ["lot", "q"].iter().filter(|name| !get(name).is_empty());
    let query: Vec<String> =
        query.map(|name| format!("{name}={}", crate::http::middleware::percent_encode(get(name)))).collect();
    let data = json!({
        "head": frame.head(view, id), "page_id": id, "page_title": labels.title.as_ref().map(|title| words.pick(title)),
        "labels": sheet, "lots": choices, "total": total, "page": page, "per_page": PER_PAGE, "query": query.join("&"),
        "kind": kind, "form": form, "errors": {}, "error_list": [], "min_mm": labels.min_mm,
    });
    view.page("applications/labels.html", &data)
}

#[cfg(test)]
mod tests {
    use super::qr_svg;

    #[test]
    fn a_code_is_drawn_without_styles_that_the_policy_refuses() {
        let svg = qr_svg("http://127.0.0.1:8800/t/food/09506000134352SAMPLE00000000000001").unwrap();
        assert!(svg.contains("viewBox") && !svg.contains("style="), "{}", &svg[..200]);
        assert!(qr_svg(&"x".repeat(5_000)).is_none());
    }
}
