//! The catalog: one folder a template, read from the web folder or from `CITYCHAIN_APPS_DIR`. A template that does not pass its check is
//! shown with path and reason; the others go on. Reads and checks; deploys nothing and knows no template by name.

use crate::app::App;
use crate::http::assets::Web;
use chain_types::genesis::Text;
use chain_types::manifest::AppTemplate;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

const PREFIX: &str = "apps/";

/// A template that can be deployed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub template: AppTemplate,
    /// The file as it stands.
    pub text: String,
}

/// A folder whose template cannot be deployed.
#[derive(Clone, Debug)]
pub struct Broken {
    pub folder: String,
    /// Where, and what to do about it.
    pub faults: Vec<(String, Text)>,
}

/// Everything in the catalog.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub templates: Vec<Arc<Listed>>,
    pub broken: Vec<Broken>,
}

impl Catalog {
    pub fn find(&self, id: &str) -> Option<Arc<Listed>> {
        self.templates.iter().find(|listed| listed.template.id == id).cloned()
    }
}

/// The catalog as it is now; one that cannot change while the program runs is read once.
pub fn load(app: &App) -> Arc<Catalog> {
    static BUILT_IN: OnceLock<Arc<Catalog>> = OnceLock::new();
    let source = Source::of(app.pages.web());
    match source.changes() {
        true => Arc::new(source.read()),
        false => BUILT_IN.get_or_init(|| Arc::new(source.read())).clone(),
    }
}

/// A file of a template's folder, such as a sample.
pub fn file(app: &App, template: &str, path: &str) -> Option<Vec<u8>> {
    Source::of(app.pages.web()).bytes(&format!("{template}/{path}"))
}

enum Source {
    Web(Web),
    Folder(PathBuf),
}

impl Source {
    fn of(web: &Web) -> Self {
        match std::env::var_os("CITYCHAIN_APPS_DIR") {
            Some(folder) => Self::Folder(folder.into()),
            None => Self::Web(web.clone()),
        }
    }

    fn changes(&self) -> bool {
        match self {
            Self::Web(web) => web.changes(),
            Self::Folder(_) => true,
        }
    }

    fn folders(&self) -> Vec<String> {
        let mut folders: Vec<String> = match self {
            Self::Web(web) => {
                let paths = web.list(PREFIX);
                let inside = paths.iter().filter_map(|path| path.strip_prefix(PREFIX)?.strip_suffix("/app.yaml"));
                inside.map(str::to_owned).collect()
            }
            Self::Folder(folder) => {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let found = entries.filter(|entry| entry.path().join("app.yaml").is_file());
                found.filter_map(|entry| entry.file_name().into_string().ok()).collect()
            }
        };
        folders.sort();
        folders
    }

    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return None;
        }
        match self {
            Self::Web(web) => web.bytes(&format!("{PREFIX}{path}")).map(std::borrow::Cow::into_owned),
            Self::Folder(folder) => std::fs::read(folder.join(path)).ok(),
        }
    }

    fn read(&self) -> Catalog {
        let mut catalog = Catalog::default();
        for folder in self.folders() {
            let text = self.bytes(&format!("{folder}/app.yaml")).and_then(|bytes| String::from_utf8(bytes).ok());
            match parse(&folder, &text.unwrap_or_default()) {
                Ok(listed) => catalog.templates.push(Arc::new(listed)),
                Err(faults) => catalog.broken.push(Broken { folder, faults }),
            }
        }
        catalog
    }
}

/// A template's file, if it can be deployed.
pub fn parse(folder: &str, text: &str) -> Result<Listed, Vec<(String, Text)>> {
    let both = |reason: String| Text { zh: reason.clone(), en: reason };
    let template: AppTemplate =
        serde_yaml_ng::from_str(text).map_err(|error| vec![("app.yaml".to_owned(), both(error.to_string()))])?;
    template
        .check()
        .map_err(|faults| faults.into_iter().map(|fault| (fault.path, fault.reason)).collect::<Vec<_>>())?;
    if template.id != folder {
        let reason = Text {
            zh: format!("id 是 {}，须与文件夹名 {folder} 相同", template.id),
            en: format!("the id is {}; it must be the folder's name, {folder}", template.id),
        };
        return Err(vec![("id".to_owned(), reason)]);
    }
    Ok(Listed { template, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_template_is_told_with_path_and_reason_and_the_others_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let built_in = Source::Web(Web::built_in());
        let Some(first) = built_in.folders().into_iter().next() else { return };
        let good = String::from_utf8(built_in.bytes(&format!("{first}/app.yaml")).unwrap()).unwrap();
        for (name, text) in [
            (first.as_str(), good.clone()),
            ("elsewhere", good.clone()),
            ("unknown-key", good.replace("category:", "categories:")),
            ("not-yaml", "{".to_owned()),
        ] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("app.yaml"), text).unwrap();
        }
        let catalog = Source::Folder(folder.path().to_owned()).read();
        assert_eq!(catalog.templates.len(), 1);
        assert!(catalog.find(&first).is_some());
        let broken: Vec<&str> = catalog.broken.iter().map(|broken| broken.folder.as_str()).collect();
        assert_eq!(broken, ["elsewhere", "not-yaml", "unknown-key"]);
        assert!(catalog.broken[2].faults[0].1.en.contains("categories"), "{:?}", catalog.broken[2]);
    }

    #[test]
    fn no_path_leads_out_of_the_catalog() {
        let source = Source::Folder(std::env::temp_dir());
        assert!(source.bytes("../etc/passwd").is_none() && source.bytes("a//b").is_none());
    }
}
