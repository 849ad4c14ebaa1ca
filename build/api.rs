//! Describes the C interface as data, for bindings that are generated: `api/api.json`.
//!
//! Everything but the statistics is parsed from the text of the header, which build.rs has just written in one regular style.
//! tests/rust/header.rs adds the settings, whose table is code of the library. Sizes and offsets are those of 64-bit systems;
//! tests/tiers/abi compares them with those that two compilers compute.

use serde_json::{Map, Value, json};

/// The size and the alignment of a C type, in bytes.
struct Layout {
    size: usize,
    align: usize,
}

/// The scalars of the interface and their sizes in bytes. Each is aligned to its size.
const SCALARS: &[(&str, usize)] =
    &[("uint8_t", 1), ("int32_t", 4), ("uint32_t", 4), ("int64_t", 8), ("uint64_t", 8), ("size_t", 8), ("double", 8)];
const POINTER: usize = 8;

/// The description as JSON text: one line for each status, constant, type, struct and function.
pub fn describe(header: &str, version: [u32; 3]) -> String {
    let declarations = declarations(header);
    let mut reader = Reader::default();
    for declaration in &declarations {
        reader.read(declaration);
    }
    let [major, minor, patch] = version;
    let version = json!({"major": major, "minor": minor, "patch": patch, "number": major * 1_000_000 + minor * 1000 + patch});
    let lists = [
        ("statuses", reader.statuses),
        ("constants", reader.constants),
        ("types", reader.types),
        ("structs", reader.structs),
        ("functions", reader.functions),
        ("statistics", statistics()),
    ];
    let mut text = format!("{{\n\"version\": {version}");
    for (name, list) in lists {
        assert!(!list.is_empty(), "the header was read: {name}");
        let lines: Vec<String> = list.iter().map(Value::to_string).collect();
        text.push_str(&format!(",\n\"{name}\": [\n{}\n]", lines.join(",\n")));
    }
    text.push_str("\n}\n");
    text
}

/// A doc comment and the declaration that follows it.
struct Declaration {
    comment: String,
    code: String,
}

/// The documented declarations of the header, in order. Lines without a comment (guards, `extern "C"`) are omitted.
fn declarations(header: &str) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("/**") {
            continue;
        }
        let mut comment = vec![line];
        while !comment.last().is_some_and(|last| last.trim_end().ends_with("*/")) {
            comment.push(lines.next().expect("a comment ends"));
        }
        let mut code: Vec<&str> = vec![lines.next().expect("a comment stands before a declaration")];
        let is_macro = code[0].starts_with('#');
        let has_body = code[0].ends_with('{');
        while !is_macro && !code.last().is_some_and(|last| last.ends_with(';') && (!has_body || last.starts_with('}'))) {
            code.push(lines.next().expect("a declaration ends"));
        }
        found.push(Declaration { comment: uncommented(&comment), code: code.join("\n") });
    }
    found
}

/// The text of a comment, with its line breaks.
fn uncommented(lines: &[&str]) -> String {
    let bare = |line: &str| {
        let line = line.trim().trim_start_matches("/**").trim_end_matches("*/");
        line.strip_prefix("* ").or_else(|| line.strip_prefix('*')).unwrap_or(line).trim_end().to_owned()
    };
    lines.iter().map(|line| bare(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[derive(Default)]
struct Reader {
    statuses: Vec<Value>,
    constants: Vec<Value>,
    types: Vec<Value>,
    structs: Vec<Value>,
    functions: Vec<Value>,
}

impl Reader {
    fn read(&mut self, declaration: &Declaration) {
        let Declaration { comment, code } = declaration;
        if let Some(define) = code.strip_prefix("#define KVL_") {
            self.read_constant(define, comment);
        } else if let Some(rest) = code.strip_prefix("KVL_API") {
            self.functions.push(function(rest, comment));
        } else if let Some(rest) = code.strip_prefix("typedef struct ") {
            match rest.split_once(" {") {
                Some((name, body)) => self.read_struct(name, body, comment),
                None => {
                    let name = rest.split(' ').next().expect("a handle has a name");
                    self.types.push(json!({"name": name, "kind": "handle", "about": one_line(comment)}));
                }
            }
        } else if let Some(rest) = code.strip_prefix("typedef ") {
            self.read_alias(rest, comment);
        }
    }

    /// Reads a status if the library's table of statuses has the name, otherwise a constant of a closed set.
    fn read_constant(&mut self, define: &str, comment: &str) {
        let Some((name, number)) = define.split_once(' ') else { return };
        let number = number.trim_matches(['(', ')']).trim_end_matches('u');
        let Ok(value) = serde_json::from_str::<Value>(number) else { return };
        let entry = json!({"name": name, "value": value, "about": one_line(comment)});
        let is_status = super::STATUSES.iter().any(|(status, ..)| *status == name);
        if is_status {
            self.statuses.push(entry)
        } else if !name.starts_with("VERSION_") {
            self.constants.push(entry)
        }
    }

    /// Reads a named number type, or a callback type.
    fn read_alias(&mut self, rest: &str, comment: &str) {
        let rest = one_line(rest.trim_end_matches(';'));
        if let Some((result, rest)) = rest.split_once("(*") {
            let result = result.trim();
            let (name, parameters) = rest.split_once(")(").expect("a callback has parameters");
            let parameters = parameters.trim_end_matches(')');
            self.types.push(json!({
                "name": name, "kind": "callback", "result": result, "parameters": parameters_of(parameters, comment), "about": one_line(comment),
            }));
        } else {
            let (of, name) = rest.rsplit_once(' ').expect("an alias names a type");
            self.types.push(json!({"name": name, "kind": "number", "of": of, "about": one_line(comment)}));
        }
    }

    fn read_struct(&mut self, name: &str, body: &str, comment: &str) {
        let (mut fields, mut offset, mut align) = (Vec::new(), 0_usize, 1);
        let (mut about, mut lines) = (String::new(), body.lines());
        while let Some(line) = lines.next() {
            let line = line.trim();
            if line.starts_with("/**") {
                let mut block = vec![line];
                while !block.last().is_some_and(|last| last.ends_with("*/")) {
                    block.push(lines.next().expect("a comment ends"));
                }
                about = one_line(&uncommented(&block));
            } else if let Some(field) = line.strip_suffix(';').filter(|_| !line.starts_with('}')) {
                let (kind, field) = split_name(field);
                let (field, count) = match field.split_once('[') {
                    Some((field, count)) => (field, count.trim_end_matches(']').parse().expect("an array has a length")),
                    None => (field, 1),
                };
                let layout = self.layout_of(&kind);
                offset = offset.next_multiple_of(layout.align);
                let mut entry = json!({"name": field, "type": kind, "offset": offset, "size": layout.size * count});
                if count > 1 {
                    entry["count"] = json!(count);
                }
                entry["about"] = json!(std::mem::take(&mut about));
                fields.push(entry);
                offset += layout.size * count;
                align = align.max(layout.align);
            }
        }
        let size = offset.next_multiple_of(align);
        self.structs.push(json!({"name": name, "size": size, "align": align, "fields": fields, "about": one_line(comment)}));
    }

    fn layout_of(&self, kind: &str) -> Layout {
        let same = |size| Layout { size, align: size };
        if kind.ends_with('*') {
            return same(POINTER);
        }
        let bare = kind.trim_start_matches("const ");
        if let Some((_, size)) = SCALARS.iter().find(|(scalar, _)| *scalar == bare) {
            return same(*size);
        }
        let named = |list: &[Value]| list.iter().find(|entry| entry["name"] == bare).cloned();
        if let Some(known) = named(&self.types) {
            return if known["kind"] == "callback" {
                same(POINTER)
            } else {
                self.layout_of(known["of"].as_str().expect("a number is of a type"))
            };
        }
        let known = named(&self.structs).unwrap_or_else(|| panic!("{kind} is declared before it is used"));
        let number = |key: &str| usize::try_from(known[key].as_u64().expect("a struct has a size")).expect("it is small");
        Layout { size: number("size"), align: number("align") }
    }
}

/// The statistics, as the library's table lists them.
fn statistics() -> Vec<Value> {
    let row = |row: &super::Statistic| {
        let suffix = if row.kind == "counter" { "_total" } else { "" };
        json!({"name": row.name, "kind": row.kind, "json": row.json, "openmetrics": format!("{}{suffix}", row.family), "label": row.label, "about": row.about})
    };
    super::STATISTICS.iter().map(row).collect()
}

fn function(code: &str, comment: &str) -> Value {
    let code = one_line(code.trim().trim_end_matches(';'));
    let (head, parameters) = code.split_once('(').expect("a function has parameters");
    let (result, name) = split_name(head);
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(name));
    entry.insert("result".to_owned(), json!(result));
    entry.insert("parameters".to_owned(), json!(parameters_of(parameters.trim_end_matches(')'), comment)));
    let (about, tags) = tags_of(comment);
    entry.insert("about".to_owned(), json!(about));
    for tag in ["return", "threads", "since"] {
        if let Some((_, text)) = tags.iter().find(|(name, _)| name == tag) {
            entry.insert(tag.to_owned(), json!(text));
        }
    }
    Value::Object(entry)
}

fn parameters_of(list: &str, comment: &str) -> Vec<Value> {
    let (_, tags) = tags_of(comment);
    let list = list.split(',').map(str::trim).filter(|parameter| *parameter != "void");
    list.map(|parameter| {
        let (kind, name) = split_name(parameter);
        let mut entry = json!({"name": name, "type": kind});
        let about = tags.iter().filter(|(tag, _)| tag == "param").find_map(|(_, text)| text.strip_prefix(name)?.strip_prefix(' '));
        if let Some(about) = about {
            entry["about"] = json!(about.trim_start());
        }
        entry
    })
    .collect()
}

/// Splits a declared parameter or function: `const uint8_t *key` into `const uint8_t *` and `key`.
fn split_name(declared: &str) -> (String, &str) {
    let at = declared.rfind([' ', '*']).expect("a type stands before a name") + 1;
    (declared[..at].trim_end().to_owned(), &declared[at..])
}

/// The text of a comment before its tags, and the tags with their text: `("param", "key  [borrowed] ...")`.
fn tags_of(comment: &str) -> (String, Vec<(String, String)>) {
    let mut parts = comment.split("\n@").map(str::to_owned);
    let about = parts.next().unwrap_or_default();
    let about = if about.starts_with('@') { String::new() } else { about };
    let tags = parts.map(|part| {
        let (tag, text) = part.split_once(' ').unwrap_or((&part, ""));
        (tag.to_owned(), one_line(text))
    });
    (one_line(&about), tags.collect())
}

/// The text with each run of spaces and line breaks replaced by one space.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
