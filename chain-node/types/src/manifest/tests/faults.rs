//! Every kind of mistake, each at its place.

use super::*;
use crate::manifest::{Answer, Answers, MethodRef, Page, Switch};

/// The paths of the faults that a change causes.
fn paths(from: &str, to: &str) -> Vec<String> {
    match changed(from, to).unwrap_or_else(|e| panic!("{to}: {e}")).check() {
        Ok(()) => vec![],
        Err(faults) => {
            assert!(faults.iter().all(|f| !f.reason.zh.is_empty() && !f.reason.en.is_empty()));
            faults.into_iter().map(|f| f.path).collect()
        }
    }
}

#[test]
fn the_small_template_has_no_fault() {
    assert_eq!(small().check(), Ok(()));
}

#[test]
fn unknown_keys_and_values_are_refused_with_their_line() {
    for (from, to) in [
        ("category: data", "category: data\ncolour: red"),
        ("type: datetime, place: chain", "type: datetime, plcae: chain"),
        ("type: datetime", "type: moment"),
        ("place: private", "place: cloud"),
        ("module: trace", "module: tracing"),
        ("class: food", "class: toys"),
        ("check: gtin14", "check: gtin15"),
        ("kind: scan", "kind: dance"),
        ("tabs: [content,", "tabs: [contents,"),
        ("{when: {state: sold},", "{when: {state: sold, above: 3},"),
        ("level: ok, text", "level: fine, text"),
        ("{as: clerk, call: papers.anchor, with: {topic: two}, save: p}", "{as: clerk, page: public}"),
        ("version: 1.2.3", "version: 1.2"),
        ("apiVersion: citychain.dev/v1", "apiVersion: citychain.dev/v2"),
        ("papers.withdraw, goods", "papers, goods"),
        ("topic: {type: enum", "when: {type: enum"),
    ] {
        let error = changed(from, to).expect_err(to);
        assert!(error.contains("line"), "{to}: {error}");
    }
    // What is read by its shape rather than its name is refused with the path alone.
    for (from, to) in
        [("guards: [sold_once]", "guards: [sold_twice]"), ("clock_offset_max: 10s", "clock_offset_max: soon")]
    {
        let error = changed(from, to).expect_err(to);
        assert!(error.starts_with("chain.instances."), "{to}: {error}");
    }
}

#[test]
fn faults_of_the_head_are_found() {
    assert_eq!(paths("id: small", "id: Small"), ["id"]);
    assert_eq!(paths("{zh: 小应用, en: Small}", "{zh: 小应用, en: ''}"), ["title"]);
    assert_eq!(paths("validators: 4", "validators: 0"), ["requires.validators"]);
    assert_eq!(paths("{anchor: 1, trace: 1}", "{anchor: 9, trace: 1}"), ["requires.modules.anchor"]);
    assert_eq!(paths("{anchor: 1, trace: 1}", "{anchor: 1, trace: 1, fund: 1}"), ["requires.modules.fund"]);
    assert_eq!(paths("{anchor: 1, trace: 1}", "{anchor: 1}"), ["chain.instances.goods.module"]);
}

#[test]
fn faults_of_questions_are_found() {
    assert_eq!(paths("if: $open_page", "if: true"), ["questions.open_page"], "a question nobody uses");
    assert_eq!(paths("default: AB", "default: ab"), ["questions.prefix.default"]);
    assert_eq!(paths("default: AB", "default: 7"), ["questions.prefix.default"]);
    assert_eq!(paths("^[A-Z]{2,6}$", "^([A-Z])$")[0], "questions.prefix.pattern");
    let more: String =
        (0..4).map(|n| format!("  q{n}: {{type: integer, default: 1, title: {{zh: 问, en: Q}}}}\n")).collect();
    assert!(paths("chain:\n", &format!("{more}chain:\n")).contains(&"questions".to_owned()));
}

#[test]
fn faults_of_the_chain_part_are_found() {
    for (from, to, path) in [
        ("module: trace", "module: fund", "chain.instances.goods.module"),
        ("guards: [sold_once]", "guards: [withdraw_needs_reason]", "chain.instances.goods.guards[0]"),
        ("guards: [sold_once]", "guards: [sold_once, sold_once]", "chain.instances.goods.guards[0]"),
        ("{seq:4}", "", "chain.instances.papers.record.key.number"),
        ("key: {number:", "key: {status:", "chain.instances.papers.record.key.status"),
        ("when: {type: datetime", "by: {type: datetime", "chain.instances.papers.record.fields.by"),
        (
            "mask: name, place: commitment",
            "mask: name, place: chain",
            "chain.instances.papers.record.fields.name.place",
        ),
        ("note: {type: text,", "note: {type: enum,", "chain.instances.papers.record.fields.note.values"),
        ("note: {type: text,", "note: {type: text, check: uscc,", "chain.instances.papers.record.fields.note.check"),
        ("note: {type: text,", "note: {type: text, max: 99999,", "chain.instances.papers.record.fields.note.max"),
        (
            "note: {type: text, place: private",
            "note: {type: digests, place: chain",
            "chain.instances.papers.record.fields",
        ),
        (
            "brand: {type: text, place: chain",
            "brand: {type: text, place: private",
            "chain.instances.goods.profile.product.brand",
        ),
        ("guards: [sold_once]", &format!("guards: [{}]", "sold_once, ".repeat(21)), "chain.instances.goods.guards"),
        ("lot: {max: 16}", "lot: {max: 0}", "chain.instances.goods.profile.codes.lot.max"),
        ("clerk: [papers.anchor", "boss: [papers.anchor", "chain.allow.boss"),
        ("papers.withdraw, goods", "papers.burn, goods", "chain.allow.clerk[1]"),
        ("papers.withdraw, goods", "cases.open, goods", "chain.allow.clerk[1]"),
    ] {
        let found = paths(from, to);
        assert!(found.iter().any(|p| p.starts_with(path)), "{to}: {found:?}");
    }
}

#[test]
fn faults_of_pages_are_found() {
    for (from, to, path) in [
        ("columns: [number,", "columns: [colour,", "pages.list.columns"),
        ("filters: [topic]", "filters: [lot]", "pages.list.filters"),
        ("states: [anchored]", "states: [sold]", "pages.list.actions[0].states"),
        ("roles: [clerk], states", "roles: [boss], states", "pages.list.actions[0].roles"),
        ("call: papers.anchor, roles", "call: papers.append, roles", "pages.list.actions[0]"),
        ("of: goods.lot", "of: goods.box", "pages.detail.of"),
        ("{timeline: goods.event}", "{graph: genealogy}", "pages.detail.tabs[1]"),
        ("{kind: form, call: goods.register_product", "{kind: form, call: goods.fly", "pages.form.call"),
        ("{register: goods.register_product}", "{sell: goods.sell}", "pages.desk.calls.sell"),
        ("\"$public_url/t/{code}\"", "\"/t/{code}\"", "pages.labels.qr"),
        ("\"$public_url/t/{code}\"", "\"$public_url/t/{box}\"", "pages.labels.qr"),
        ("min_mm: 20", "min_mm: 5", "pages.labels.min_mm"),
        ("route: \"/t/{code}\"", "route: \"/t/\"", "pages.public.route"),
        ("counts_scans: true", "aliases: [gs1_digital_link]", "pages.public.aliases"),
        ("counts_scans: true", "counts_scans: false", "pages.public.verdict[2].when"),
        ("{when: {state: sold},", "{when: {state: lost},", "pages.public.verdict[0].when"),
        ("{when: {state: sold},", "{when: {evidence: fails},", "pages.public.verdict[0].when"),
        ("{when: {state: sold},", "{when: {credential: a, is: valid},", "pages.public.verdict[0].when"),
        ("above: 5", "above: $prefix", "pages.public.verdict[2].when"),
        ("field: expire_on", "field: lot", "pages.public.verdict[1].when"),
        ("{when: {state: sold},", "{", "pages.public.verdict[0]"),
        ("show: [product,", "show: [price,", "pages.public.show"),
        (
            "{type: boolean, default: true, title: {zh: 公开",
            "{type: text, default: maybe, title: {zh: 公开",
            "pages.public.if",
        ),
    ] {
        let found = paths(from, to);
        assert!(found.iter().any(|p| p.starts_with(path)), "{to}: {found:?}");
    }
}

#[test]
fn faults_of_steps_are_found() {
    for (from, to, path) in [
        (
            "{as: clerk, call: papers.anchor, with: {topic: one",
            "{as: boss, call: papers.anchor, with: {topic: one",
            "samples[0].as",
        ),
        ("with: {topic: one", "with: {colour: one", "samples[0].with.colour"),
        ("call: papers.anchor, with: {topic: two}", "call: papers.append, with: {topic: two}", "checks[0].as"),
        ("number: $p.number, reason: x}}", "number: $q.number, reason: x}}", "checks[1].with.number"),
        ("refused: record_withdrawn", "refused: already_sold", "checks[2].expect.refused"),
        ("refused: record_withdrawn", "level: ok", "checks[2].expect"),
        ("{page: public, with", "{page: private, with", "checks[3].page"),
        ("expect: {level: ok}", "expect: {}", "checks[3].expect"),
    ] {
        let found = paths(from, to);
        assert!(found.iter().any(|p| p.starts_with(path)), "{to}: {found:?}");
    }
}

#[test]
fn rules_that_go_in_circles_or_nowhere_are_found() {
    let with = |rules: &str| {
        let template = changed("  allow:\n", &format!("  rules:\n{rules}  allow:\n")).unwrap();
        template.check().unwrap_err().into_iter().map(|f| f.reason.en).collect::<Vec<_>>()
    };
    let circle = with("    - {on: papers.anchored, do: goods.sell}\n    - {on: goods.sold, do: papers.anchor}\n");
    assert!(circle.iter().any(|e| e.contains("back to itself")), "{circle:?}");
    let nowhere = with("    - {on: goods.exploded, do: cases.open, with: {kind: x}}\n");
    assert!(nowhere.iter().any(|e| e.contains("emits goods.exploded")), "{nowhere:?}");
    assert!(nowhere.iter().any(|e| e.contains("there is no instance cases")), "{nowhere:?}");
    let require = with("    - {require: {credential.valid: {type: licence, subject: holder}}, before: goods.sell}\n");
    assert!(require.iter().any(|e| e.contains("credential licence is valid")), "{require:?}");
    let half = changed("  allow:\n", "  rules: [{on: goods.sold}]\n  allow:\n").unwrap_err();
    assert!(half.contains("line"), "{half}");
}

#[test]
fn answers_stand_where_the_manifest_says() {
    let answers = Answers::from([
        ("prefix".to_owned(), Answer::Text("XY".into())),
        ("open_page".to_owned(), Answer::Boolean(false)),
    ]);
    let resolved = small().resolve(&answers).unwrap();
    let record = resolved.chain().instances.get("papers").unwrap().record.as_ref().unwrap();
    assert_eq!(record.number(), Some(("number", "XY{yyyy}{seq:4}")));
    let page = resolved.template().pages.get("public").unwrap();
    assert!(!page.is_on());
    assert!(matches!(page, Page::Public(p) if p.condition == Some(Switch::Fixed(false))));
    let labels = resolved.template().pages.get("labels").unwrap();
    assert!(matches!(labels, Page::Labels(p) if p.qr == "$public_url/t/{code}"), "the console's words stay");
    assert_ne!(resolved.console_hash(), small().resolve(&Answers::new()).unwrap().console_hash());
    assert_ne!(resolved.chain_part_bytes(), small().resolve(&Answers::new()).unwrap().chain_part_bytes());
}

#[test]
fn answers_that_do_not_fit_are_all_reported() {
    let answers = Answers::from([
        ("prefix".to_owned(), Answer::Text("$x".into())),
        ("open_page".to_owned(), Answer::Integer(1)),
        ("colour".to_owned(), Answer::Boolean(true)),
    ]);
    let paths: Vec<String> = small().resolve(&answers).unwrap_err().into_iter().map(|f| f.path).collect();
    assert_eq!(paths, ["answers.colour", "answers.prefix", "answers.open_page"]);
}

#[test]
fn order_is_kept_as_written() {
    let template = small();
    let fields: Vec<&str> =
        template.chain.instances.get("papers").unwrap().record.as_ref().unwrap().fields.names().collect();
    assert_eq!(fields, ["topic", "when", "name", "files", "note"]);
    let pages: Vec<&str> = template.pages.names().collect();
    assert_eq!(pages, ["list", "detail", "form", "desk", "labels", "public"]);
    let call: MethodRef = "papers.anchor".parse().unwrap();
    assert!(template.chain.allow.get("clerk").unwrap().contains(&call));
}

#[test]
fn the_schema_names_every_vocabulary() {
    let schema = serde_json::to_string(&crate::manifest::template_schema()).unwrap();
    for word in [
        "digests",
        "commitment",
        "id_number",
        "gtin14",
        "random20",
        "genealogy",
        "gs1_digital_link",
        "regulator",
        "labels",
    ] {
        let known = schema.contains(word);
        // Roles and tabs are open text; everything closed is listed.
        assert_eq!(known, !matches!(word, "regulator" | "genealogy"), "{word}");
    }
}

#[test]
fn a_fault_is_found_on_its_line() {
    use crate::manifest::line_of;
    let line = |needle: &str| SMALL.lines().position(|l| l.contains(needle)).map(|at| at + 1);
    for (path, needle) in [
        ("category", "category: data"),
        ("requires.modules.anchor", "requires:"),
        ("questions.prefix.default", "prefix: {type"),
        ("chain.instances.papers.record.fields.note.max", "note: {type"),
        ("chain.instances.papers.guards[1]", "guards: [owner"),
        ("chain.instances.goods.guards[0]", "guards: [sold_once]"),
        ("chain.allow.clerk[1]", "clerk: [papers"),
        ("pages.public.verdict[2].when", "count: scans"),
        ("checks[1].with.number", "withdraw, with: {number: $p.number, reason: x}}"),
    ] {
        assert_eq!(line_of(SMALL, path), line(needle), "{path}");
    }
    assert_eq!(line_of(SMALL, "nowhere.at.all"), None);
}
