# frozen_string_literal: true

require_relative "lib/kvlight/api"

# With the library in lib/kvlight, as package.sh puts it there, it is a gem of this platform; without it, of any, and the library is
# looked for where the system has it.
Gem::Specification.new do |spec|
  spec.name = "kvlight"
  spec.version = Kvlight::VERSION
  spec.authors = ["The kvlight authors"]
  spec.summary = "A loading cache that fetches each key once, in batches, however many callers ask for it"
  spec.description = "Kvlight::Tasks keeps what a block loads: each missing key is loaded once, together with others, with retries, " \
                     "timeouts and priorities, whichever threads ask for it. Values are any objects."
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.required_ruby_version = ">= 3.0"
  spec.files = Dir["lib/**/*", "sig/**/*", "README.md", "LICENSE-*"].select { |path| File.file?(path) }
  spec.platform = Gem::Platform.local if Dir["lib/kvlight/libkvlight.*"].any?
  spec.add_dependency "fiddle", "~> 1.0"
  spec.metadata["rubygems_mfa_required"] = "true"
end
