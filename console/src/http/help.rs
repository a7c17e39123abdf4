//! `/help`: the user manual, `web/docs/<language>/<page>.html`, for signed-in and signed-out readers alike.

use super::extract::{Path, View};
use crate::app::App;
use crate::error::{Error, Result};
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new().route("/help", get(first)).route("/help/{page}", get(show))
}

#[derive(Serialize)]
struct Chapter {
    name: String,
    title: String,
    current: bool,
}

async fn first(view: View) -> Result<Response> {
    page(&view, "start")
}

async fn show(view: View, Path(name): Path<String>) -> Result<Response> {
    page(&view, &name)
}

fn page(view: &View, name: &str) -> Result<Response> {
    let web = view.app.pages.web();
    let folder = format!("docs/{}/", view.lang().tag());
    let mut chapters = Vec::new();
    let mut shown = None;
    // Files are numbered for their order: `10-start.html` is the page `start`.
    for path in web.list(&folder) {
        let Some((_, page)) = path.trim_start_matches(&folder).trim_end_matches(".html").split_once('-') else {
            continue;
        };
        let text = web.text(&path)?;
        let title = text
            .split_once("<h1>")
            .and_then(|(_, rest)| rest.split_once("</h1>"))
            .map_or(page, |(title, _)| title)
            .to_owned();
        let current = page == name;
        chapters.push(Chapter { name: page.to_owned(), title: title.clone(), current });
        if current {
            shown = Some((title, text));
        }
    }
    let (title, html) = shown.ok_or(Error::NotFound)?;
    view.page("help.html", &json!({ "chapters": chapters, "title": title, "html": html }))
}
