//! Sizes and offsets of the plain structs on processors with 32 bits, which tests/tiers/platforms compares with those of compilers.

use super::api::{Api, Entry};
use std::fmt::Write as _;

/// What differs between processors, in bytes.
struct Processor {
    /// The size and the alignment of a pointer.
    pointer: usize,
    align_of_8_bytes: usize,
}

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    let of = |align_of_8_bytes| text(api, &Processor { pointer: 4, align_of_8_bytes });
    vec![("tests/tiers/platforms/layout-linux-armv7.txt", of(8)), ("tests/tiers/platforms/layout-linux-i686.txt", of(4))]
}

/// The lines of the file: one for each number type, struct and field.
fn text(api: &Api, processor: &Processor) -> String {
    let mut text = String::new();
    for alias in api.types().filter(|known| known.text("kind") == "number") {
        let (size, align) = layout_of(api, processor, alias.text("of"));
        writeln!(text, "{} size {size} align {align}", alias.name()).expect("a String takes everything");
    }
    for structure in api.structs() {
        let (size, align, fields) = struct_of(api, processor, structure);
        writeln!(text, "{} size {size} align {align}", structure.name()).expect("a String takes everything");
        fields.iter().for_each(|line| text.push_str(line));
    }
    text
}

/// The size and the alignment of a struct, and a line for each of its fields.
fn struct_of(api: &Api, processor: &Processor, structure: Entry) -> (usize, usize, Vec<String>) {
    let (mut end, mut align, mut lines) = (0_usize, 1, Vec::new());
    for field in structure.list("fields") {
        let (size, field_align) = layout_of(api, processor, field.text("type"));
        let count = if field.is_integer("count") { field.number("count") as usize } else { 1 };
        let offset = end.next_multiple_of(field_align);
        lines.push(format!("{}.{} at {offset} size {}\n", structure.name(), field.name(), size * count));
        end = offset + size * count;
        align = align.max(field_align);
    }
    (end.next_multiple_of(align), align, lines)
}

/// The size and the alignment of a type.
fn layout_of(api: &Api, processor: &Processor, kind: &str) -> (usize, usize) {
    let bare = kind.trim_start_matches("const ");
    let pointer = (processor.pointer, processor.pointer);
    if bare.ends_with('*') {
        return pointer;
    }
    match bare {
        "size_t" => pointer,
        "uint8_t" => (1, 1),
        "int32_t" | "uint32_t" => (4, 4),
        "int64_t" | "uint64_t" | "double" => (8, processor.align_of_8_bytes),
        _ => match api.types().find(|known| known.name() == bare) {
            Some(known) if known.text("kind") == "callback" => pointer,
            Some(known) => layout_of(api, processor, known.text("of")),
            None => {
                let structure =
                    api.structs().find(|known| known.name() == bare).unwrap_or_else(|| panic!("{bare} is a type of the interface"));
                let (size, align, _) = struct_of(api, processor, structure);
                (size, align)
            }
        },
    }
}
