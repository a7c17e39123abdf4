//! The results as one picture: bars beside others, bars of where the time goes, lines of the longer runs. One file of SVG
//! that needs nothing else and reads in light and in dark.

use std::fmt::Write;

use super::report::{Document, Point, Section, TABLE, short};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 330.0;
const BAR: f64 = 20.0;
const PLOT: f64 = 150.0;

const STYLE: &str = "\
text{font:13px system-ui,'Noto Sans','PingFang SC',sans-serif;fill:#1f2933}\
.ground{fill:#fff}.head{font-size:17px;font-weight:600}.note{fill:#5f6c7b;font-size:12px}\
.ours{fill:#1d63c4}.theirs{fill:#9aa7b5}.line-done{stroke:#1d63c4}.line-offered{stroke:#9aa7b5}.line-refused{stroke:#c2571a}\
.line-p99{stroke:#7a4fb5}.axis{stroke:#cfd7df}polyline{fill:none;stroke-width:1.8}\
@media(prefers-color-scheme:dark){text{fill:#e6ebf0}.ground{fill:#14191f}.note{fill:#9aa7b5}.ours{fill:#5b9bf0}\
.theirs{fill:#5f6c7b}.line-done{stroke:#5b9bf0}.line-offered{stroke:#6b7886}.line-refused{stroke:#f0925b}\
.line-p99{stroke:#b794f0}.axis{stroke:#37424e}}";

/// A line's class and where it runs.
type Series = (&'static str, fn(&Point) -> Option<f64>);

/// One bar.
struct Bar {
    name: String,
    value: f64,
    is_ours: bool,
}

struct Picture {
    body: String,
    y: f64,
}

pub fn draw(document: &Document) -> String {
    let mut picture = Picture { body: String::new(), y: 34.0 };
    if let Some(table) = document.sections.iter().find(|s| s.name == TABLE && s.validators == 4) {
        let m = &table.machine;
        picture.head("CityChain, measured by make bench");
        picture.note(&format!(
            "{}, {} cores, {} MiB, Linux {}; version {}",
            m.processor, m.cores, m.memory_mib, m.kernel, table.version
        ));
        picture.note(&format!(
            "4 validators as processes on loopback, load generator on the same cores, fsync on; load of the machine before: {:.1}",
            table.load_before
        ));
        picture.beside(document, table);
        picture.stages(table);
    }
    for section in document.sections.iter().filter(|s| !s.points.is_empty()) {
        picture.lines(section);
    }
    let height = picture.y + 10.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"CityChain, \
         measured\">\n<style>{STYLE}</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n{}</svg>\n",
        picture.body
    )
}

impl Picture {
    fn text(&mut self, x: f64, class: &str, anchor: &str, text: &str) {
        let (y, text) = (self.y, escape(text));
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.0}\" y=\"{y:.0}\" class=\"{class}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    fn head(&mut self, text: &str) {
        self.text(24.0, "head", "start", text);
        self.y += 22.0;
    }

    fn note(&mut self, text: &str) {
        self.text(24.0, "note", "start", text);
        self.y += 18.0;
    }

    /// Bars with one scale, the longest as wide as there is room.
    fn bars(&mut self, title: &str, unit: &str, bars: &[Bar]) {
        let largest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        self.y += 20.0;
        self.head(title);
        for bar in bars {
            let width = (bar.value / largest * (WIDTH - LEFT - 130.0)).max(1.0);
            let class = if bar.is_ours { "ours" } else { "theirs" };
            let top = self.y - 4.0;
            let _ = writeln!(
                self.body,
                "<rect x=\"{LEFT}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"14\" rx=\"2\" class=\"{class}\"/>"
            );
            self.y += 8.0;
            self.text(LEFT - 10.0, "", "end", &bar.name);
            self.text(LEFT + width + 8.0, "", "start", &format!("{} {unit}", short(bar.value)));
            self.y += BAR - 8.0;
        }
    }

    /// Each of our numbers with the peers' under it.
    fn beside(&mut self, document: &Document, table: &Section) {
        for (key, title) in [
            ("batched", "Signed transactions committed, 100 a request (more is better)"),
            ("single", "Signed transactions committed, one a request (more is better)"),
            ("batched-cpu", "Processor a transaction and validator (less is better)"),
            ("idle-p50", "Idle chain, submit to committed, p50 (less is better)"),
            ("digests", "Digests in the log (more is better)"),
        ] {
            let Some(own) = table.rows.iter().find(|row| row.key == key) else { continue };
            let what = own.what.trim();
            let mut bars = vec![Bar { name: "CityChain".into(), value: own.value, is_ours: true }];
            for ratio in document.ratios.iter().filter(|ratio| ratio.what == what && ratio.ours == own.value) {
                bars.push(Bar { name: ratio.peer_short(), value: ratio.theirs, is_ours: false });
            }
            if bars.len() > 1 {
                self.bars(title, &own.unit, &bars);
            }
        }
    }

    fn stages(&mut self, table: &Section) {
        let is_shown = |key: &str| key.starts_with("stage-") && !key.ends_with("-each");
        let bar = |row: &super::report::Row| {
            let name = row.what.trim().trim_end_matches(", a transaction");
            let name = name.split_once(':').map_or(name, |(stage, _)| stage).to_owned();
            Bar { name, value: row.value, is_ours: true }
        };
        let bars: Vec<Bar> = table.rows.iter().filter(|row| is_shown(&row.key)).map(bar).collect();
        if !bars.is_empty() {
            self.bars("Where a transaction's time goes in one validator, 100 a request (elapsed)", "us", &bars);
        }
    }

    /// Rates of a longer run over its time, and the latency under them.
    fn lines(&mut self, section: &Section) {
        self.y += 26.0;
        self.head(&format!("{}, {} validators", section.name, section.validators));
        let points = &section.points;
        let rates: [Series; 3] =
            [("offered", |p| Some(p.offered)), ("refused", |p| Some(p.refused)), ("done", |p| Some(p.committed))];
        let largest = points.iter().flat_map(|p| [p.offered, p.committed]).fold(1.0, f64::max);
        self.plot(points, &rates, largest, "/s: offered (grey), committed (blue), turned away with 429 (orange)");
        let slowest = points.iter().filter_map(|p| p.p99_ms).fold(1.0, f64::max);
        self.plot(points, &[("p99", |p| p.p99_ms)], slowest, "ms: submit to committed, p99");
        for key in ["accepted", "refused", "failed", "p50", "p99", "memory-max", "decay"] {
            if let Some(row) = section.rows.iter().find(|row| row.key == key) {
                self.note(&format!("{}: {} {}", row.what.trim(), short(row.value), row.unit));
            }
        }
    }

    fn plot(&mut self, points: &[Point], series: &[Series], largest: f64, unit: &str) {
        let (left, top, width) = (90.0, self.y, WIDTH - 114.0);
        let end = points.last().map_or(1, |p| p.at_s).max(1) as f64;
        let bottom = top + PLOT;
        let _ = writeln!(
            self.body,
            "<path class=\"axis\" fill=\"none\" d=\"M{left} {top:.0}V{bottom:.0}H{:.0}\"/>",
            left + width
        );
        for (name, of) in series {
            let place = |p: &Point| Some((left + p.at_s as f64 / end * width, bottom - of(p)? / largest * PLOT));
            let line: Vec<String> = points.iter().filter_map(place).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(self.body, "<polyline class=\"line-{name}\" points=\"{}\"/>", line.join(" "));
        }
        self.y = top + 10.0;
        self.text(left - 8.0, "note", "end", &short(largest));
        self.y = bottom;
        self.text(left - 8.0, "note", "end", "0");
        self.y = bottom + 18.0;
        self.text(left, "note", "start", unit);
        self.text(left + width, "note", "end", &format!("{end:.0} s"));
        self.y += 24.0;
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::report::{PeerSystem, Row};
    use super::*;

    #[test]
    fn the_picture_holds_every_number_it_was_given_and_nothing_from_outside() {
        let rows = vec![
            Row::new("single", "one <a> request", 250.0, "/s"),
            Row::new("stage-check", "  check: x, a transaction", 7.0, "us"),
        ];
        let mut document = Document::default();
        document.put(Section::new(TABLE, 4, 0.0, rows, Vec::new()));
        let peer = Row::new("cometbft/single", "transactions, one a request", 125.0, "/s");
        let name = "CometBFT 1.0.1, 4 validators, kvstore".to_owned();
        document.put_peers(vec![PeerSystem { name, settings: Vec::new(), rows: vec![peer] }]);
        let point = |at_s, offered| Point { at_s, offered, committed: offered, p99_ms: Some(3.0), ..Point::default() };
        document.put(Section::new("spike", 16, 0.0, Vec::new(), vec![point(1, 10.0), point(2, 30.0)]));
        let svg = draw(&document);
        for part in
            ["CometBFT 1.0.1 kvstore, no signatures", "250 /s", "125 /s", "7.00 us", "spike, 16 validators", "2 s"]
        {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
        assert!(!svg.contains("<a>") && !svg.contains("href") && svg.matches("http").count() == 1, "{svg}");
        let ours = svg.split("class=\"ours\"").next().unwrap().rsplit("width=\"").next().unwrap();
        let theirs = svg.split("class=\"theirs\"").next().unwrap().rsplit("width=\"").next().unwrap();
        let width = |text: &str| text.split('"').next().unwrap().parse::<f64>().unwrap();
        assert!((width(ours) / width(theirs) - 2.0).abs() < 0.01, "bars are as long as their numbers say");
    }
}
