//! The declarations of the header without comments and macros, for languages that read C at run time.

use super::api::{Api, Entry};
use std::fmt::Write as _;

/// Where a type is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Field,
    Parameter,
    Result,
}

/// Writes every type, struct and function. `spell_type` returns the name of a type in the language.
pub fn declarations(api: &Api, spell_type: fn(&str, Place) -> &str) -> String {
    let mut text = String::new();
    let (callbacks, others): (Vec<_>, Vec<_>) = api.types().partition(|named| named.text("kind") == "callback");
    for named in others {
        let _ = match named.text("kind") {
            "number" => writeln!(text, "typedef {} {};", named.text("of"), named.name()),
            _ => writeln!(text, "typedef struct {0} {0};", named.name()),
        };
    }
    for structure in api.structs() {
        let _ = writeln!(text, "typedef struct {} {{", structure.name());
        for field in structure.list("fields") {
            let _ = writeln!(text, "  {};", declaration(spell_type(field.text("type"), Place::Field), field.name()));
        }
        let _ = writeln!(text, "}} {};", structure.name());
    }
    for callback in callbacks {
        let _ = writeln!(text, "typedef {} (*{})({});", callback.text("result"), callback.name(), parameters(callback, spell_type));
    }
    for function in api.functions() {
        let result = spell_type(function.text("result"), Place::Result);
        let _ = writeln!(text, "{};", declaration(result, &format!("{}({})", function.name(), parameters(function, spell_type))));
    }
    text
}

fn parameters(callable: Entry<'_>, spell_type: fn(&str, Place) -> &str) -> String {
    let all: Vec<String> = callable
        .list("parameters")
        .map(|parameter| declaration(spell_type(parameter.text("type"), Place::Parameter), parameter.name()))
        .collect();
    if all.is_empty() { "void".to_owned() } else { all.join(", ") }
}

/// The declaration of a name: `size_t n`, `void *object`.
fn declaration(type_name: &str, name: &str) -> String {
    if type_name.ends_with('*') { format!("{type_name}{name}") } else { format!("{type_name} {name}") }
}
