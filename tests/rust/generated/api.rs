//! The description of the interface that api/api.json should contain, parsed for the templates.

use serde_json::Value;

/// The whole description, parsed from [`text`], not from the committed file.
pub struct Api(Value);

/// One object of the description, such as a status, a function, one of its parameters, or a setting.
#[derive(Clone, Copy)]
pub struct Entry<'a>(&'a Value);

/// What api/api.json should contain: the description that build.rs has written, with the settings from the library's own table.
pub fn text() -> String {
    let declared = std::fs::read_to_string(env!("KVL_API")).expect("build.rs writes the description");
    let settings: Vec<Value> = serde_json::from_str(&kvlight::base::config::as_json()).expect("the list of settings is JSON");
    let lines: Vec<String> = settings.iter().map(Value::to_string).collect();
    format!("{},\n\"settings\": [\n{}\n]\n}}\n", declared.trim_end().trim_end_matches('}').trim_end(), lines.join(",\n"))
}

impl Api {
    pub fn read() -> Self {
        Self(serde_json::from_str(&text()).expect("valid JSON"))
    }

    pub fn statuses(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("statuses")
    }

    pub fn constants(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("constants")
    }

    /// Named number types, handles and callbacks.
    pub fn types(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("types")
    }

    pub fn functions(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("functions")
    }

    /// A part of the version: "major", "minor", "patch", or "number".
    pub fn version(&self, part: &str) -> i64 {
        Entry(&self.0["version"]).number(part)
    }

    pub fn structs(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("structs")
    }

    pub fn statistics(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("statistics")
    }

    pub fn settings(&self) -> impl Iterator<Item = Entry<'_>> {
        Entry(&self.0).list("settings")
    }
}

impl<'a> Entry<'a> {
    pub fn text(self, key: &str) -> &'a str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key} is not a text in {}", self.0))
    }

    pub fn name(self) -> &'a str {
        self.text("name")
    }

    /// What it is or does, in one or more sentences.
    pub fn about(self) -> &'a str {
        self.text("about")
    }

    /// The JSON value of any key.
    pub fn value(self, key: &str) -> &'a Value {
        &self.0[key]
    }

    pub fn is_integer(self, key: &str) -> bool {
        self.0[key].is_i64() || self.0[key].is_u64()
    }

    pub fn number(self, key: &str) -> i64 {
        self.0[key].as_i64().unwrap_or_else(|| panic!("{key} is not a whole number in {}", self.0))
    }

    pub fn is(self, key: &str) -> bool {
        self.0[key].as_bool().unwrap_or_else(|| panic!("{key} is not true or false in {}", self.0))
    }

    pub fn list(self, key: &str) -> impl Iterator<Item = Entry<'a>> {
        self.0[key].as_array().unwrap_or_else(|| panic!("{key} is not a list in {}", self.0)).iter().map(Entry)
    }

    /// The strings of a list.
    pub fn words(self, key: &str) -> Vec<&'a str> {
        self.0[key].as_array().unwrap_or_else(|| panic!("{key} is not a list in {}", self.0)).iter().filter_map(Value::as_str).collect()
    }
}
