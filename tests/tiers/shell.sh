# What the scripts of the tiers share; they source it. It knows how the library is built in kinds other than the usual one,
# how checks are counted, and nothing of what they check.
#
#     . "$(dirname "$0")/../shell.sh"      the current folder is then the project's
#     here=$(library asan)                 builds libkvlight.so of that kind; prints its folder
#     check "what holds" COMMAND...        runs it; what it says is shown if it fails
#     counted_and_done                     `N passed, N failed`, and the exit code

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')
clang=clang-19
passed=0 failed=0

# One line for what went well, all that was said for what did not.
check() {
    local what=$1 said began=$SECONDS
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok $what ($((SECONDS - began)) s)"
    else
        failed=$((failed + 1))
        echo "not ok $what"
        # What a sanitizer says first matters most, and what a program says last.
        { head -n 40 <<<"$said"; [ "$(wc -l <<<"$said")" -le 60 ] || echo ...; tail -n +41 <<<"$said" | tail -n 20; } | sed 's/^/    /'
    fi
}

# The opposite: what must be seen to fail. check_not WHAT PATTERN COMMAND...: and what it says must match the pattern.
check_not() {
    local what=$1 pattern=$2 said
    shift 2
    if said=$("$@" 2>&1) || ! grep -Eq "$pattern" <<<"$said"; then
        failed=$((failed + 1))
        echo "not ok $what: it was to fail with /$pattern/"
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

# The rust flags of a kind. Where a kind instruments the code, the compiler's gates have to be opened for it.
flags_of() {
    # As cargo-fuzz does: what libFuzzer counts and compares. Without a fuzzer the counters are idle.
    local watched="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
    watched+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
    case $1 in
    asan) echo "-Zsanitizer=address $watched" ;;
    # std itself is not built anew, so its locks are invisible here: the cfg puts parking_lot in their place. Its fences are as well:
    # tests/tiers/race/fences.c.
    tsan) echo "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg kvl_race -Clink-arg=-Wl,--wrap=__tsan_atomic64_fetch_sub" ;;
    coverage) echo "-Cinstrument-coverage" ;;
    full) echo "" ;;
    esac
}

# build_library KIND PROJECT TARGET: builds one kind of the library, of any copy of the project.
build_library() {
    local kind=$1 project=$2 into=$3/$1
    # Assertions and overflow checks stay in: these builds look for errors. Full debug information is what abidiff reads.
    local -x CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=1
    [ "$kind" = full ] && CARGO_PROFILE_RELEASE_DEBUG=2
    [ "$kind" != full ] && local -x CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=$(flags_of "$kind") cargo build --release --lib --target "$host" \
        --manifest-path "$project/Cargo.toml" --target-dir "$into" >&2 || return 1
    local folder=$into/$host/release
    ln -sf libkvlight.so "$folder/$(soname)"
    echo "$folder"
}

# library KIND: of this project, into its target folder.
library() {
    build_library "$1" "$PWD" "$target" 2>"$target/library-$1.log" || { tail -n 20 "$target/library-$1.log" >&2; return 1; }
}

# copy_of_project FOLDER: what git would commit, with the times of the files, so that a second build has less to do.
copy_of_project() {
    mkdir -p "$1" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$1"
}

# planted_library KIND NAME: the library with tests/tiers/planted/NAME.patch in it; prints its folder. It is built in a folder of the
# planted ones: in the sound ones' folder cargo would take the one for the other, since both have one name.
planted_library() {
    local kind=$1 name=$2 copy=$target/planted/$2 built
    rm -rf "$copy" && copy_of_project "$copy" || return 1
    if ! patch -s -d "$copy" -p1 <"tests/tiers/planted/$name.patch"; then
        echo "tests/tiers/planted/$name.patch does not apply any more: make it anew" >&2
        return 1
    fi
    # The patched files are new to cargo whatever the time of the last build was.
    sed -n 's|^+++ b/||p' "tests/tiers/planted/$name.patch" | (cd "$copy" && xargs touch)
    built=$(build_library "$kind" "$copy" "$target/planted-kinds" 2>"$copy/build.log") || { tail -n 20 "$copy/build.log" >&2; return 1; }
    mkdir -p "$copy/built" && cp "$built/libkvlight.so" "$copy/built/" && ln -sf libkvlight.so "$copy/built/$(soname)"
    echo "$copy/built"
}

soname() {
    sed -n 's/^version = "\([0-9]*\)\.\([0-9]*\)\..*/libkvlight.so.\1.\2/p' Cargo.toml | head -n 1
}
