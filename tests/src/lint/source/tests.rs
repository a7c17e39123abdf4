//! Literals, comments, lifetimes and test regions as they occur in real files.

use super::*;

fn rust(text: &str) -> Source {
    Source::new("x.rs".to_owned(), text.to_owned())
}

#[test]
fn braces_in_strings_characters_and_comments_are_not_code() {
    let source = rust("fn a() { \"}{\"; '}'; b'{'; '\\''; r#\"}\"}\"#; /* { /* { */ */ x } // }\nfn b() {}");
    assert_eq!(after_matching(source.code().as_bytes(), 7), source.text.find(" // }").unwrap());
}

#[test]
fn a_lifetime_is_not_the_start_of_a_character() {
    let source = rust("fn a<'a>(x: &'a str) -> Cow<'static, str> { b('字', '\\u{7d}') }");
    assert!(source.code().contains("static, str> { b(") && !source.code().contains('字'));
    assert_eq!(source.code().matches('}').count(), 1);
}

#[test]
fn raw_identifiers_and_words_that_end_like_prefixes_stay_code() {
    let source = rust("let r#type = br; let hr = for_; r\"gone\"; br#\"gone\"#; c\"gone\";");
    assert!(source.code().contains("r#type = br") && !source.code().contains("gone"));
}

#[test]
fn blanking_keeps_offsets_and_lines() {
    let source = rust("a /* 一\n二 */ b \"three\nfour\" c");
    assert_eq!(source.code().len(), source.text.len());
    assert_eq!(source.line_at(source.code().find('c').unwrap()), 3);
}

#[test]
fn what_is_compiled_for_tests_only_is_known() {
    let text = "fn kept() {}\n#[cfg(test)]\n#[rustfmt::skip]\nmod tests { fn gone() {} }\nfn also_kept() {}\n#[test]\nfn one() { x }\n";
    let source = rust(text);
    for (name, test) in [("kept", false), ("gone", true), ("also_kept", false), ("one()", true)] {
        assert_eq!(source.is_test_at(text.find(name).unwrap()), test, "{name}");
    }
}

#[test]
fn code_for_anything_but_tests_counts() {
    for attribute in ["#[cfg(not(test))]", "#[cfg(feature = \"test\")]", "#[derive(Debug)]"] {
        let text = format!("{attribute} fn kept() {{}}");
        assert!(!rust(&text).is_test_at(text.find("kept").unwrap()), "{attribute}");
    }
    let text = "#[cfg(all(test, unix))] fn gone<A, B>() {} #[tokio::test(flavor = \"x\")] async fn also() {}";
    assert!(
        rust(text).is_test_at(text.find("gone").unwrap() + 10) && rust(text).is_test_at(text.find("also").unwrap())
    );
}

#[test]
fn a_test_only_field_ends_at_its_comma() {
    let text = "struct A { #[cfg(test)] seen: u8, kept: u8 }";
    assert!(!rust(text).is_test_at(text.find("kept").unwrap()));
}

#[test]
fn a_word_stands_alone() {
    assert_eq!(words("fn defn fn_ fn", "fn"), [0, 12]);
}

#[test]
fn cut_off_text_ends_somewhere() {
    for text in ["\"", "'", "'\\", "r#\"", "/*", "b'", "#[cfg(test)]", "#[cfg(test"] {
        assert_eq!(rust(text).code().len(), text.len(), "{text}");
        rust(text).test_ranges();
    }
}
