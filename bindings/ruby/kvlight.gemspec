# frozen_string_literal: true

require_relative "lib/kvlight/api"

# With the library in lib/kvlight, where package.sh puts it, this is a gem for this platform. Without it, the gem is for any platform and uses the
# library that is installed on the system.
Gem::Specification.new do |spec|
  spec.name = "kvlight"
  spec.version = Kvlight::VERSION
  spec.authors = ["The kvlight authors"]
  spec.summary = "A loading cache that fetches each key once, in batches, however many callers ask for it"
  spec.description = "Kvlight::Tasks caches what a block loads: each missing key is loaded once, in batches, with retries, timeouts and " \
                     "priorities, however many threads ask for it. A value can be any object."
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.required_ruby_version = ">= 3.0"
  spec.files = Dir["lib/**/*", "sig/**/*", "README.md", "LICENSE-*"].select { |path| File.file?(path) }
  spec.platform = Gem::Platform.local if Dir["lib/kvlight/libkvlight.*"].any?
  spec.add_dependency "fiddle", "~> 1.0"
  spec.metadata["rubygems_mfa_required"] = "true"
end
