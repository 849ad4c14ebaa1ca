# Sourced by the scripts of the tiers: builds the library in special forms (with a sanitizer or a planted error), and runs and
# counts checks.
#
#     . "$(dirname "$0")/../shell.sh"      changes to the project's folder
#     here=$(library asan)                 builds libkvlight.so of that kind; prints its folder
#     check "what holds" COMMAND...        runs the command; its output is shown if it fails
#     counted_and_done                     prints `N passed, N failed`, and exits with the result

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')
clang=clang-19
passed=0 failed=0

# Prints one line for a check that passes, and the output for one that fails.
check() {
    local what=$1 said began=$SECONDS
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok $what ($((SECONDS - began)) s)"
    else
        failed=$((failed + 1))
        echo "not ok $what"
        # A sanitizer's first lines are the most useful, and a program's last ones.
        { head -n 40 <<<"$said"; [ "$(wc -l <<<"$said")" -le 60 ] || echo ...; tail -n +41 <<<"$said" | tail -n 20; } | sed 's/^/    /'
    fi
}

# check_not WHAT PATTERN COMMAND...: checks that the command fails, with output that matches the pattern.
check_not() {
    local what=$1 pattern=$2 said
    shift 2
    if said=$("$@" 2>&1) || ! grep -Eq "$pattern" <<<"$said"; then
        failed=$((failed + 1))
        echo "not ok $what: expected a failure with /$pattern/"
        tail -n 40 <<<"$said" | sed 's/^/    /'
    else
        passed=$((passed + 1))
        echo "ok $what"
    fi
}

counted_and_done() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# Prints the rustc flags for a kind of library. Those of the sanitizers are unstable.
flags_of() {
    # The instrumentation that cargo-fuzz uses for libFuzzer. Without a fuzzer the counters have no effect.
    local watched="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
    watched+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
    case $1 in
    asan) echo "-Zsanitizer=address $watched" ;;
    # std itself is not rebuilt, so the detector does not see its locks: with this cfg the library uses parking_lot's instead. The detector does
    # not understand fences either: tests/tiers/race/fences.c makes up for them.
    tsan) echo "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg kvl_race -Clink-arg=-Wl,--wrap=__tsan_atomic64_fetch_sub" ;;
    coverage) echo "-Cinstrument-coverage" ;;
    full) echo "" ;;
    esac
}

# build_library KIND PROJECT TARGET: builds one kind of the library, from any copy of the project, and prints its folder.
build_library() {
    local kind=$1 project=$2 into=$3/$1
    # `full` is for abidiff, which needs full debug information. The others look for errors, so they have assertions and overflow checks.
    local -x CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=1
    [ "$kind" = full ] && CARGO_PROFILE_RELEASE_DEBUG=2
    [ "$kind" != full ] && local -x CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=$(flags_of "$kind") cargo build --release --lib --target "$host" \
        --manifest-path "$project/Cargo.toml" --target-dir "$into" >&2 || return 1
    local folder=$into/$host/release
    ln -sf libkvlight.so "$folder/$(soname)"
    echo "$folder"
}

# library KIND: builds one kind of this project's library in its target folder, and prints the library's folder.
library() {
    build_library "$1" "$PWD" "$target" 2>"$target/library-$1.log" || { tail -n 20 "$target/library-$1.log" >&2; return 1; }
}

# copy_of_project FOLDER: copies the files that git would commit, with their times, so that a second build is incremental.
copy_of_project() {
    mkdir -p "$1" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$1"
}

# planted_library KIND NAME: builds the library with tests/tiers/planted/NAME.patch applied, and prints its folder. It is built in a
# separate folder: otherwise cargo would confuse it with the library without the patch, which has the same name.
planted_library() {
    local kind=$1 name=$2 copy=$target/planted/$2 built
    rm -rf "$copy" && copy_of_project "$copy" || return 1
    if ! patch -s -d "$copy" -p1 <"tests/tiers/planted/$name.patch"; then
        echo "tests/tiers/planted/$name.patch no longer applies: create it again" >&2
        return 1
    fi
    # Sets the times of the patched files, so that cargo always rebuilds them.
    sed -n 's|^+++ b/||p' "tests/tiers/planted/$name.patch" | (cd "$copy" && xargs touch)
    built=$(build_library "$kind" "$copy" "$target/planted-kinds" 2>"$copy/build.log") || { tail -n 20 "$copy/build.log" >&2; return 1; }
    mkdir -p "$copy/built" && cp "$built/libkvlight.so" "$copy/built/" && ln -sf libkvlight.so "$copy/built/$(soname)"
    echo "$copy/built"
}

soname() {
    sed -n 's/^version = "\([0-9]*\)\.\([0-9]*\)\..*/libkvlight.so.\1.\2/p' Cargo.toml | head -n 1
}
