#!/bin/sh
# Installs the gem in FOLDER into an empty GEM_HOME, and runs examples/ruby/hello.rb, the scenarios and the tests with it:
# `package.sh FOLDER`. The checkout's own copy of the package is not on the path.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
gem=$(ls "$1"/kvlight-*.gem)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KVL_LIBRARY KVL_RUBY_LOOKUP RUBYLIB LD_LIBRARY_PATH
GEM_PATH=$work/gems:$(gem environment gempath) GEM_HOME=$work/gems
export GEM_HOME GEM_PATH
gem install --silent --local --no-document "$gem"
cp -r "$here" "$work/tests"
cd "$work"
ruby -w -e 'require "kvlight"; abort Kvlight::LOADED_FROM unless Kvlight::LOADED_FROM.start_with?(ENV["GEM_HOME"])'
"$top/bindings/hello.sh" Ruby ruby -w "$top/examples/ruby/hello.rb"
ruby -w tests/scenarios.rb
ruby -w tests/faults.rb
ruby -w tests/labels.rb
ruby -w tests/second_tier.rb
ruby -w tests/misuse.rb
if gem contents kvlight | grep -q "/lookup\."; then
    ruby -w -e 'require "kvlight"; abort "the compiled lookup is not used" unless Kvlight::Lookup::COMPILED'
    KVL_RUBY_LOOKUP= ruby -w tests/scenarios.rb
fi
