//! Templates that generate files from the description of the interface: one for each language, and one for the layouts of structs. The
//! templates are written by hand.

pub mod api;
pub mod c;
pub mod compare;
pub mod csharp;
pub mod go;
pub mod java;
pub mod layout;
pub mod lua;
pub mod node;
pub mod php;
pub mod python;
pub mod ruby;
pub mod swift;

/// `nullHits` for `null_hits`.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}
