//! C#: the functions as delegates, the offsets of structs, the constants, the settings as properties, the statuses, the sources and the causes of
//! removals as enums, and the statistics as a class.

use super::api::{Api, Entry};
use super::camel_case;
use std::fmt::Write as _;

const BANNER: &str = "// Generated from api/api.json by `make generate`. Do not edit.\n\n";

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![
        ("bindings/csharp/src/NativeApi.cs", native(api)),
        ("bindings/csharp/src/Settings.cs", settings(api)),
        ("bindings/csharp/src/Status.cs", enums(api)),
        ("bindings/csharp/src/Stats.cs", statistics(api)),
    ]
}

fn native(api: &Api) -> String {
    let mut text = BANNER.to_owned();
    text.push_str("using System;\nusing System.Runtime.InteropServices;\n\nnamespace Kvlight\n{\n");
    text.push_str("    /// <summary>The library's functions, the offsets of its structs, and its constants. Sizes are longs.</summary>\n");
    text.push_str("    internal static unsafe class NativeApi\n    {\n");
    let parts = ["major", "minor", "patch"].map(|part| api.version(part).to_string());
    let _ = writeln!(text, "        internal const string VERSION = \"{}\";", parts.join("."));
    let _ = writeln!(text, "        internal const uint VERSION_NUMBER = {};", api.version("number"));
    for constant in api.statuses().chain(api.constants()) {
        let kind = if constant.is_integer("value") { "int" } else { "double" };
        let _ = writeln!(text, "        /// <summary>{}</summary>", doc(constant.about()));
        let _ = writeln!(text, "        internal const {kind} {} = {};", constant.name(), constant.value("value"));
    }
    for structure in api.structs().filter(|structure| structure.name() != "kvl_stats_t") {
        let _ = writeln!(text, "\n        /// <summary>The size and the offsets of {}.</summary>", structure.name());
        let _ = writeln!(
            text,
            "        internal static class {}\n        {{",
            pascal(structure.name().trim_start_matches("kvl_").trim_end_matches("_t"))
        );
        let _ = writeln!(text, "            internal const int SIZE = {};", structure.number("size"));
        for field in structure.list("fields") {
            let _ = writeln!(text, "            internal const int {} = {};", field.name().to_uppercase(), field.number("offset"));
        }
        text.push_str("        }\n");
    }
    text.push_str("\n#pragma warning disable 649 // The loader sets the fields.\n");
    for function in api.functions() {
        let parameters: Vec<String> = function
            .list("parameters")
            .map(|parameter| format!("{} @{}", csharp_type(api, parameter.text("type")), camel_case(parameter.name())))
            .collect();
        text.push_str("        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]\n");
        let result = csharp_type(api, function.text("result"));
        let _ = writeln!(text, "        internal delegate {result} {}_fn({});", function.name(), parameters.join(", "));
        let _ = writeln!(text, "        internal static {0}_fn {0};", function.name());
    }
    text.push_str("#pragma warning restore 649\n    }\n}\n");
    text
}

fn settings(api: &Api) -> String {
    let mut text = BANNER.to_owned();
    text.push_str("namespace Kvlight\n{\n");
    for setting in api.settings().filter(|setting| setting.text("type") == "word") {
        let name = pascal(&setting.name().replace('.', "_"));
        let _ = writeln!(text, "    /// <summary>The values of the setting {}.</summary>\n    public enum {name}\n    {{", setting.name());
        for word in setting.words("words") {
            let _ = writeln!(text, "        /// <summary>\"{word}\"</summary>\n        {},", pascal(word));
        }
        text.push_str("    }\n\n");
    }
    text.push_str(
        "    /// <summary>The settings that one fetch may override. A property that is null leaves the setting of the Tasks in force.</summary>\n",
    );
    text.push_str(
        "    public abstract class FetchSettings : SettingValues\n    {\n        internal FetchSettings()\n        {\n        }\n",
    );
    api.settings().filter(|setting| setting.is("per_fetch")).for_each(|setting| property(&mut text, setting));
    text.push_str(
        "    }\n\n    /// <summary>The settings of an engine or a cache. A property that is null leaves the default.</summary>\n",
    );
    text.push_str("    public abstract class Settings : FetchSettings\n    {\n        internal Settings()\n        {\n        }\n");
    api.settings().filter(|setting| !setting.is("per_fetch")).for_each(|setting| property(&mut text, setting));
    text.push_str("    }\n}\n");
    text
}

fn property(text: &mut String, setting: Entry<'_>) {
    let name = pascal(&setting.name().replace('.', "_"));
    let (about, default, key) = (doc(setting.about()), setting.text("default"), setting.name());
    let _ = writeln!(text, "\n        /// <summary>{about} Default: {default}.</summary>");
    if setting.text("type") == "word" {
        let words: Vec<String> = setting.words("words").iter().map(|word| format!("\"{word}\"")).collect();
        let _ = writeln!(text, "        public {name}? {name}\n        {{");
        let _ = writeln!(text, "            get => ({name}?)GetWord(\"{key}\", {});", words.join(", "));
        let _ = writeln!(text, "            set => SetWord(\"{key}\", (int?)value, {});\n        }}", words.join(", "));
        return;
    }
    let (kind, getter) = match setting.text("type") {
        "int" => ("long", "GetLong"),
        "real" => ("double", "GetDouble"),
        "bool" => ("bool", "GetBool"),
        other => panic!("there is no C# type for settings of type {other}"),
    };
    let _ = writeln!(text, "        public {kind}? {name}\n        {{");
    let _ = writeln!(text, "            get => {getter}(\"{key}\");\n            set => Put(\"{key}\", value);\n        }}");
}

fn enums(api: &Api) -> String {
    let mut text = format!("{BANNER}namespace Kvlight\n{{\n");
    text.push_str(
        "    /// <summary>The outcome of a key or a call. A number below 0 is an error.</summary>\n    public enum Status\n    {\n",
    );
    for status in api.statuses() {
        member(&mut text, status.name(), status);
    }
    text.push_str("    }\n\n    /// <summary>Where the result of a key came from.</summary>\n    public enum Source\n    {\n");
    for source in api.constants().filter(|constant| constant.name().starts_with("SOURCE_")) {
        member(&mut text, &source.name()[7..], source);
    }
    text.push_str("    }\n\n    /// <summary>Why an entry is no longer in the cache.</summary>\n    public enum RemovalCause\n    {\n");
    for cause in api.constants().filter(|constant| constant.name().starts_with("CAUSE_")) {
        member(&mut text, &cause.name()[6..], cause);
    }
    text.push_str("    }\n}\n");
    text
}

fn member(text: &mut String, name: &str, constant: Entry<'_>) {
    let (about, name) = (doc(constant.about()), pascal(&name.to_lowercase()));
    let _ = writeln!(text, "        /// <summary>{about}</summary>\n        {name} = {},", constant.number("value"));
}

fn statistics(api: &Api) -> String {
    let structure = api.structs().find(|structure| structure.name() == "kvl_stats_t").expect("the statistics are a struct");
    let mut text = format!("{BANNER}namespace Kvlight\n{{\n");
    text.push_str(
        "    /// <summary>The counters since the last reset, and the current gauges. Store.StatsJson() also has histograms.</summary>\n",
    );
    text.push_str("    public sealed class Stats\n    {\n");
    let _ = writeln!(text, "        internal const int Size = {};\n\n        private readonly long[] numbers;\n", structure.number("size"));
    text.push_str("        internal Stats(long[] numbers)\n        {\n            this.numbers = numbers;\n        }\n");
    for field in structure.list("fields").filter(|field| field.name() != "struct_size") {
        assert!(field.number("size") == 8, "the statistics are numbers of 64 bits");
        let _ = writeln!(text, "\n        /// <summary>{}</summary>", doc(field.about()));
        let _ = writeln!(text, "        public long {} => numbers[{}];", pascal(field.name()), field.number("offset") / 8);
    }
    text.push_str("    }\n}\n");
    text
}

/// The C# type of a number, a handle or an address.
fn csharp_type(api: &Api, type_name: &str) -> &'static str {
    let named = api.types().find(|named| named.name() == type_name && named.text("kind") == "number");
    match named.map_or(type_name, |named| named.text("of")) {
        "void" => "void",
        "int32_t" => "int",
        "uint32_t" => "uint",
        "int64_t" | "uint64_t" | "size_t" => "long",
        "double" => "double",
        "const uint8_t *" | "const char *" | "uint8_t *" => "byte*",
        pointer if pointer.ends_with("_fn") || pointer == "void *" || is_handle(api, pointer) => "IntPtr",
        pointer if pointer.ends_with('*') => "void*",
        other => panic!("there is no C# type for {other}"),
    }
}

fn is_handle(api: &Api, pointer: &str) -> bool {
    let name = pointer.trim_start_matches("const ").trim_end_matches(" *");
    api.types().any(|named| named.name() == name && named.text("kind") == "handle")
}

/// A description, escaped for an XML comment.
fn doc(about: &str) -> String {
    about.replace('`', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `NullHits` for `null_hits`.
fn pascal(name: &str) -> String {
    let name = camel_case(name);
    name[..1].to_uppercase() + &name[1..]
}
