//! Java: the functions for JNA's direct mapping, the offsets of structs, the constants, the settings as methods, the statuses, the sources and
//! the causes of removals as enums, and the statistics as a record.

use super::api::{Api, Entry};
use super::camel_case;
use std::fmt::Write as _;

const BANNER: &str = "// Generated from api/api.json by `make generate`. Do not edit.\n\npackage kvlight;\n\n";

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![
        ("bindings/java/src/kvlight/NativeApi.java", native(api)),
        ("bindings/java/src/kvlight/FetchSettings.java", fetch_settings(api)),
        ("bindings/java/src/kvlight/Settings.java", settings(api)),
        ("bindings/java/src/kvlight/Status.java", statuses(api)),
        ("bindings/java/src/kvlight/Source.java", sources(api)),
        ("bindings/java/src/kvlight/RemovalCause.java", causes(api)),
        ("bindings/java/src/kvlight/Stats.java", statistics(api)),
    ]
}

fn native(api: &Api) -> String {
    let mut text = BANNER.to_owned();
    text.push_str(
        "/** The library's functions, the offsets of its structs, and its constants. Handles, addresses and sizes are longs. */\n",
    );
    text.push_str("final class NativeApi {\n    private NativeApi() {}\n\n");
    let parts = ["major", "minor", "patch"].map(|part| api.version(part).to_string());
    let _ = writeln!(text, "    static final String VERSION = \"{}\";", parts.join("."));
    let _ = writeln!(text, "    static final int VERSION_NUMBER = {};", api.version("number"));
    for constant in api.statuses().chain(api.constants()) {
        let kind = if constant.is_integer("value") { "int" } else { "double" };
        let value = constant.value("value");
        let _ = writeln!(text, "    /** {} */\n    static final {kind} {} = {value};", javadoc(constant.about()), constant.name());
    }
    for structure in api.structs().filter(|structure| structure.name() != "kvl_stats_t") {
        let _ = writeln!(text, "\n    /** The size and the offsets of {}. */", structure.name());
        let _ = writeln!(text, "    static final class {} {{\n        private {0}() {{}}\n", class_name(structure.name()));
        let _ = writeln!(text, "        static final int SIZE = {};", structure.number("size"));
        for field in structure.list("fields") {
            let _ = writeln!(text, "        static final int {} = {};", field.name().to_uppercase(), field.number("offset"));
        }
        text.push_str("    }\n");
    }
    text.push('\n');
    for function in api.functions() {
        let parameters: Vec<String> = function
            .list("parameters")
            .map(|parameter| format!("{} {}", java_type(api, parameter.text("type")), camel_case(parameter.name())))
            .collect();
        let _ =
            writeln!(text, "    static native {} {}({});", java_type(api, function.text("result")), function.name(), parameters.join(", "));
    }
    text.push_str("}\n");
    text
}

fn fetch_settings(api: &Api) -> String {
    let mut text = BANNER.to_owned();
    text.push_str(
        "/**\n * The settings that one fetch may override.\n *\n * @param <S> the class itself, which each method returns\n */\n",
    );
    text.push_str("public abstract class FetchSettings<S extends FetchSettings<S>> extends SettingValues<S> {\n    FetchSettings() {}\n");
    api.settings().filter(|setting| setting.is("per_fetch")).for_each(|setting| method(&mut text, setting));
    text.push_str("}\n");
    text
}

fn settings(api: &Api) -> String {
    let mut text = BANNER.to_owned();
    text.push_str("/**\n * The settings of an engine or a cache.\n *\n * @param <S> the class itself, which each method returns\n */\n");
    text.push_str("public abstract class Settings<S extends Settings<S>> extends FetchSettings<S> {\n    Settings() {}\n");
    api.settings().filter(|setting| !setting.is("per_fetch")).for_each(|setting| method(&mut text, setting));
    text.push_str("}\n");
    text
}

fn method(text: &mut String, setting: Entry<'_>) {
    let name = camel_case(&setting.name().replace('.', "_"));
    let kind = match setting.text("type") {
        "int" => "long",
        "real" => "double",
        "bool" => "boolean",
        "word" => {
            let class = capital(&name);
            let _ = writeln!(text, "\n    /** The values of {{@link #{name}}}. */\n    public enum {class} implements Word {{");
            let words = setting.words("words");
            let rows: Vec<String> =
                words.iter().map(|word| format!("        /** {{@code {word}}} */\n        {}(\"{word}\")", word.to_uppercase())).collect();
            let _ = writeln!(text, "{};\n\n        private final String word;\n", rows.join(",\n"));
            let _ = writeln!(text, "        {class}(String word) {{\n            this.word = word;\n        }}\n");
            text.push_str("        @Override\n        public String word() {\n            return word;\n        }\n    }\n");
            let about = javadoc(setting.about());
            let default = setting.text("default");
            let _ = writeln!(text, "\n    /**\n     * {about} Default: {default}.\n     *\n     * @param value the value");
            let _ = writeln!(text, "     * @return this\n     */\n    public final S {name}({class} value) {{");
            let _ = writeln!(text, "        return put(\"{}\", value.word());\n    }}", setting.name());
            return;
        }
        other => panic!("there is no Java type for settings of type {other}"),
    };
    let (about, default) = (javadoc(setting.about()), setting.text("default"));
    let _ = writeln!(text, "\n    /**\n     * {about} Default: {default}.\n     *\n     * @param value the value");
    let _ = writeln!(text, "     * @return this\n     */\n    public final S {name}({kind} value) {{");
    let _ = writeln!(text, "        return put(\"{}\", value);\n    }}", setting.name());
}

fn statuses(api: &Api) -> String {
    let rows = api.statuses().map(|status| (status.name().to_owned(), status.about().to_owned(), status.number("value")));
    numbered("Status", "The outcome of a key or a call. A number below 0 is an error.", "status", rows.collect())
}

fn sources(api: &Api) -> String {
    let rows = api.constants().filter(|constant| constant.name().starts_with("SOURCE_"));
    let rows = rows.map(|source| (source.name()[7..].to_owned(), source.about().to_owned(), source.number("value")));
    numbered("Source", "Where the result of a key came from.", "source", rows.collect())
}

fn causes(api: &Api) -> String {
    let rows = api.constants().filter(|constant| constant.name().starts_with("CAUSE_"));
    let rows = rows.map(|cause| (cause.name()[6..].to_owned(), cause.about().to_owned(), cause.number("value")));
    numbered("RemovalCause", "Why an entry is no longer in the cache.", "cause", rows.collect())
}

/// An enum with the library's numbers, and one more constant for numbers of later versions.
fn numbered(name: &str, about: &str, word: &str, rows: Vec<(String, String, i64)>) -> String {
    let mut text = format!("{BANNER}/** {about} */\npublic enum {name} {{\n");
    for (name, about, number) in rows {
        let _ = writeln!(text, "    /** {} */\n    {name}({number}),", sentence(&javadoc(&about)));
    }
    let _ = writeln!(text, "    /** A {word} of a later version of the library. */\n    UNKNOWN(Integer.MIN_VALUE);\n");
    let _ = writeln!(text, "    private static final {name}[] ALL = values();\n    private final int number;\n");
    let _ = writeln!(text, "    {name}(int number) {{\n        this.number = number;\n    }}\n");
    let _ = writeln!(text, "    /**\n     * Returns the library's number.\n     *\n     * @return the number\n     */");
    text.push_str("    public int number() {\n        return number;\n    }\n\n");
    let _ = writeln!(text, "    static {name} of(int number) {{\n        for ({name} one : ALL) {{");
    text.push_str("            if (one.number == number) {\n                return one;\n            }\n        }\n        return UNKNOWN;\n    }\n}\n");
    text
}

fn statistics(api: &Api) -> String {
    let structure = api.structs().find(|structure| structure.name() == "kvl_stats_t").expect("the statistics are a struct");
    let fields: Vec<Entry<'_>> = structure.list("fields").filter(|field| field.name() != "struct_size").collect();
    assert!(
        fields.len() < 127,
        "a Java method has at most 255 slots of parameters, and a long takes two: give Stats a class instead of a record"
    );
    let mut text = format!("{BANNER}import java.nio.ByteBuffer;\n\n");
    text.push_str(
        "/**\n * The counters since the last reset, and the current gauges. {@link Store#statsJson()} also has histograms.\n *\n",
    );
    for field in &fields {
        let _ = writeln!(text, " * @param {} {}", camel_case(field.name()), javadoc(field.about()));
    }
    text.push_str(" */\npublic record Stats(\n");
    let rows: Vec<String> = fields.iter().map(|field| format!("        long {}", camel_case(field.name()))).collect();
    let _ = writeln!(text, "{}) {{\n\n    static final int SIZE = {};\n", rows.join(",\n"), structure.number("size"));
    text.push_str("    static Stats read(ByteBuffer from, int at) {\n        return new Stats(\n");
    let rows: Vec<String> = fields
        .iter()
        .map(|field| {
            assert!(field.number("size") == 8, "the statistics are numbers of 64 bits");
            format!("                from.getLong(at + {})", field.number("offset"))
        })
        .collect();
    let _ = writeln!(text, "{});\n    }}\n}}", rows.join(",\n"));
    text
}

/// The Java type of a number, a handle or an address.
fn java_type(api: &Api, type_name: &str) -> &'static str {
    let named = api.types().find(|named| named.name() == type_name && named.text("kind") == "number");
    match named.map_or(type_name, |named| named.text("of")) {
        "void" => "void",
        "int32_t" | "uint32_t" => "int",
        "int64_t" | "uint64_t" | "size_t" => "long",
        "double" => "double",
        pointer if pointer.ends_with('*') || pointer.ends_with("_fn") => "long",
        other => panic!("there is no Java type for {other}"),
    }
}

/// A description with the escapes and the markup of Javadoc.
fn javadoc(about: &str) -> String {
    let mut text = String::new();
    for (nth, part) in about.split('`').enumerate() {
        if nth % 2 == 1 {
            let _ = write!(text, "{{@code {part}}}");
        } else {
            text.push_str(
                &part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "&#64;").replace("*/", "*&#47;"),
            );
        }
    }
    text
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    capital(text) + if text.ends_with('.') { "" } else { "." }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().collect::<String>() + rest.as_str()).unwrap_or_default()
}

/// The name of a class: `Result` for `kvl_result_t`.
fn class_name(type_name: &str) -> String {
    capital(type_name.trim_start_matches("kvl_").trim_end_matches("_t"))
}
