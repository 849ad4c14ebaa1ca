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

/// Writes every type, struct and function. `spelled` returns the language's spelling of a type.
pub fn declarations(api: &Api, spelled: fn(&str, Place) -> &str) -> String {
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
            let _ = writeln!(text, "  {};", declared(spelled(field.text("type"), Place::Field), field.name()));
        }
        let _ = writeln!(text, "}} {};", structure.name());
    }
    for callback in callbacks {
        let _ = writeln!(text, "typedef {} (*{})({});", callback.text("result"), callback.name(), parameters(callback, spelled));
    }
    for function in api.functions() {
        let result = spelled(function.text("result"), Place::Result);
        let _ = writeln!(text, "{};", declared(result, &format!("{}({})", function.name(), parameters(function, spelled))));
    }
    text
}

fn parameters(callable: Entry<'_>, spelled: fn(&str, Place) -> &str) -> String {
    let all: Vec<String> = callable
        .list("parameters")
        .map(|parameter| declared(spelled(parameter.text("type"), Place::Parameter), parameter.name()))
        .collect();
    if all.is_empty() { "void".to_owned() } else { all.join(", ") }
}

/// The declaration of a name: `size_t n`, `void *object`.
fn declared(type_name: &str, name: &str) -> String {
    if type_name.ends_with('*') { format!("{type_name}{name}") } else { format!("{type_name} {name}") }
}
