//! Our own source, as a compiler reads it: without comments and test code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use syn::visit::{
    Visit, visit_expr_match, visit_expr_method_call, visit_impl_item_fn, visit_item, visit_item_mod,
    visit_path,
};
use syn::{
    Attribute, ExprMatch, ExprMethodCall, ImplItemFn, Item, ItemConst, ItemMod, ItemUse, Macro, Pat, UseTree,
};

/// One source file.
pub(super) struct Source {
    /// Its path within the repository.
    pub(super) name: String,
    /// Its text as it is.
    pub(super) text: String,
    /// Its imports from its crate, each by its whole path.
    pub(super) imports: BTreeSet<String>,
    /// Whether a `match` on `State`, `Event` or `Effect` has an arm for all that is left.
    pub(super) has_wildcard: bool,
    /// The calls that panic on purpose.
    pub(super) panics: BTreeSet<String>,
    /// The modules in files of their own that are compiled for tests only.
    test_modules: Vec<String>,
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose name ends in `ending`.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The source of the bot and its crates, without files that only tests have.
pub(super) fn sources() -> &'static [Source] {
    static ALL: OnceLock<Vec<Source>> = OnceLock::new();
    ALL.get_or_init(read_all)
}

fn read_all() -> Vec<Source> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let folders = crates.chain([root()]).map(|folder| folder.join("src"));
    let mut all: Vec<Source> = folders
        .flat_map(|folder| files(&folder, ".rs"))
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            Source::read(name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    let of_tests: Vec<String> = all
        .iter()
        .flat_map(|source| {
            source.test_modules.iter().map(move |module| format!("{}/{module}", source.path()))
        })
        .collect();
    all.retain(|source| !of_tests.iter().any(|module| Path::new(&source.path()).starts_with(module)));
    assert!(all.len() > 200, "the source is not where this test looks for it");
    all
}

impl Source {
    pub(super) fn read(name: String, text: String) -> Self {
        let (imports, panics, test_modules) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let mut source = Self { name, text, imports, has_wildcard: false, panics, test_modules };
        let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.name));
        source.visit_file(&file);
        source
    }

    /// The path of its module, as in `src/store/sql`; the folder of a crate for the crate's root.
    pub(super) fn path(&self) -> String {
        let path = self.name.trim_end_matches(".rs");
        ["/mod", "/lib"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path).to_owned()
    }

    /// The folders that it is of: `a.rs` is of the one that it is in, and of `a/`.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let file = Path::new(&self.name);
        [file.parent().unwrap().to_owned(), file.with_extension("")].into()
    }

    fn import(&mut self, tree: &UseTree, before: &str) {
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &format!("{before}::{}", path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.import(item, before)),
            UseTree::Name(name) => self.note(&format!("{before}::{}", name.ident)),
            UseTree::Rename(name) => self.note(&format!("{before}::{}", name.ident)),
            UseTree::Glob(_) => self.note(before),
        }
    }

    /// Notes a path; of those that begin with the name of a dependency, the values and the machine count.
    fn note(&mut self, path: &str) {
        let (path, own) = (path.trim_start_matches("::").trim_end_matches("::self"), self.path());
        let module = own.split_once("src/").map_or(String::new(), |(_, module)| module.replace('/', "::"));
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        let whole = match path.split_once("::") {
            Some(("crate", rest)) => rest.to_owned(),
            Some(("super", rest)) => format!("{parent}::{rest}"),
            Some(("self", rest)) => format!("{module}::{rest}"),
            Some(("deposit" | "session", _)) => path.to_owned(),
            _ => format!("{module}::{path}"),
        };
        self.imports.insert(whole.trim_start_matches("::").to_owned());
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| it.meta.require_list().is_ok_and(|it| it.tokens.to_string() == "test"))
}

/// The names that a pattern speaks of.
struct Names(Vec<String>);

impl Visit<'_> for Names {
    fn visit_path(&mut self, path: &syn::Path) {
        self.0.extend(path.segments.iter().map(|segment| segment.ident.to_string()));
    }
}

impl Visit<'_> for Source {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        match (is_of_tests(&module.attrs), &module.content) {
            (true, None) => self.test_modules.push(module.ident.to_string()),
            (true, Some(_)) => {}
            (false, _) => visit_item_mod(self, module),
        }
    }

    fn visit_item(&mut self, item: &Item) {
        let attributes = match item {
            Item::Fn(it) => &it.attrs,
            Item::Impl(it) => &it.attrs,
            Item::Use(it) => &it.attrs,
            _ => &Vec::new(),
        };
        if !is_of_tests(attributes) {
            visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        if !is_of_tests(&function.attrs) {
            visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.import(&item.tree, "");
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&segments.join("::"));
        visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        let name = call.method.to_string();
        self.panics.extend(["unwrap", "expect"].contains(&name.as_str()).then_some(name));
        visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &Macro) {
        let name = call.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        let panics = ["panic", "todo", "unimplemented", "unreachable"].contains(&name.as_str());
        self.panics.extend(panics.then_some(name));
    }

    /// A constant panics in the compiler.
    fn visit_item_const(&mut self, _constant: &ItemConst) {}

    fn visit_expr_match(&mut self, all: &ExprMatch) {
        let mut names = Names(Vec::new());
        all.arms.iter().for_each(|arm| names.visit_pat(&arm.pat));
        let is_ours = names.0.iter().any(|name| ["State", "Event", "Effect"].contains(&name.as_str()));
        let is_wild = |pat: &Pat| match pat {
            Pat::Wild(_) => true,
            // `_failed` says which ones it takes.
            Pat::Ident(name) => name.subpat.is_none() && !name.ident.to_string().starts_with('_'),
            _ => false,
        };
        self.has_wildcard |= is_ours && all.arms.iter().any(|arm| is_wild(&arm.pat));
        visit_expr_match(self, all);
    }
}
