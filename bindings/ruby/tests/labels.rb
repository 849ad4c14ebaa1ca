# frozen_string_literal: true

# Tags, versions, and records that have not changed. Prints TAP; run.sh sets the path of the library.

require "kvlight"
require_relative "tap"
include Tap # rubocop:disable Style/MixinUsage

scenario "r11 a tag removes its entries" do
  tasks = Kvlight::Tasks.new { |_| {} }
  tasks.put("1", [1], tags: %w[odd small])
  tasks.put("2", "two", tags: ["small"])
  tasks.put("3", [3], tags: ["odd"])
  equal [tasks.remove_tag("odd"), tasks.each_entry.to_a], [2, [%w[2 two]]], "removed"
  equal [tasks.remove_tag("odd"), tasks.remove_tag("not there")], [0, 0], "again"
  tasks.put("2", "zwei") # a new value has the tags of its own put
  equal [tasks.remove_tag("small"), tasks.get("2"), tasks.stats[:removed][:tag]], [0, "zwei", 2], "a new value"
  tasks.close
end

scenario "r11 an answer has tags, and a running load with a removed tag is not stored" do
  reached = Thread::Queue.new
  resume = Thread::Queue.new
  tasks = Kvlight::Tasks.new do |keys, request|
    reached << true
    resume.pop
    keys.each { |key| request.resolve(key, [key], tags: ["shelf"]) }
    request.finish
  end
  fetch = tasks.start("a")
  reached.pop
  equal tasks.remove_tag("shelf"), 0, "the number of removed entries before the answer"
  resume << true
  equal [fetch.value, tasks.get("a")], [["a"], nil], "the load"
  resume << true
  equal [tasks.fetch("a"), tasks.get("a"), tasks.remove_tag("shelf"), tasks.get("a")], [["a"], ["a"], 1, nil], "the next load"
  tasks.close
end

scenario "r12 tags and all entries expire and stay as fallbacks" do
  down = false
  tasks = Kvlight::Tasks.new(cache_ttl_ms: 60_000, stale_ttl_ms: 60_000) do |keys, request|
    raise IOError, "down" if down

    keys.each { |key| request.resolve(key, [key], tags: [key < "c" ? "early" : "late"]) }
    request.finish
  end
  tasks.fetch_all(%w[a b c])
  down = true
  equal [tasks.expire_tag("early"), tasks.get("a"), tasks.get("c")], [2, nil, ["c"]], "a tag"
  equal tasks.results(%w[a b c]).map(&:stale?), [true, true, false], "fallbacks"
  tasks.expire_all
  equal [tasks.get("c"), tasks.fetch("c")], [nil, ["c"]], "all"
  tasks.close
end

scenario "r06 a record that has not changed keeps its value" do
  entries = []
  source = { "a" => ["first"], "b" => "other" }
  versions = { "a" => "v1", "b" => "w1" }
  tasks = Kvlight::Tasks.new(cache_ttl_ms: 10_000, stale_ttl_ms: 60_000) do |keys, request|
    keys.each do |key|
      stale = request.stale(key)
      entries << stale
      if stale&.version == versions[key]
        equal request.not_modified(key, ttl_ms: 50_000), true, "whether the answer was in time"
      else
        request.resolve(key, source[key], version: versions[key], tags: ["t"])
      end
    end
    request.finish
  end
  first, = tasks.fetch_all(%w[a b])
  equal entries, [nil, nil], "the stored entries before the first load"
  tasks.expire_all
  versions["b"] = "w2"
  source["b"] = "changed"
  same, changed = tasks.results(%w[a b])
  equal entries[2..].map { |stale| [stale.value, stale.version, stale.age_ms >= 0] }, [[["first"], "v1", true], ["other", "w1", true]], "the stored entries before the second load"
  equal [same.value.equal?(first), same.stale?, same.source, same.ttl_left_ms > 40_000], [true, false, Kvlight::SOURCE_PROVIDER, true], "the same"
  equal [changed.value, tasks.remove_tag("t")], ["changed", 2], "the changed value, and the number of entries that kept the tag"
  tasks.close
end

scenario "r06 not_modified without a value raises and answers nothing" do
  error = nil
  tasks = Kvlight::Tasks.new do |keys, request|
    error = raised(Kvlight::Error, "not_modified") { request.not_modified(keys.first) }
    request.resolve(keys.first, nil)
    request.finish
  end
  equal [tasks.fetch("a"), error.status], [nil, Kvlight::MISS], "the key"
  tasks.close
end

scenario "r11 invalid labels are rejected" do
  tasks = Kvlight::Tasks.new { |_| {} }
  [{ tags: [1] }, { version: 1 }].each { |terms| raised(TypeError, terms) { tasks.put("a", "one", **terms) } }
  [{ tags: [""] }, { tags: ["x" * 256] }, { tags: ["t"] * 17 }, { version: "v" * 256 }].each do |terms|
    equal raised(Kvlight::Error, terms) { tasks.put("a", "one", **terms) }.name, "KVL_ERR_BAD_VALUE", terms
  end
  equal raised(Kvlight::Error, "an empty tag") { tasks.remove_tag("") }.name, "KVL_ERR_INVALID_ARG", "an empty tag"
  raised(TypeError, "a tag that is no String") { tasks.expire_tag(7) }
  equal [tasks.get("a"), tasks.put("a", "one", tags: Array.new(16) { |i| "t#{i}" }, version: "v" * 255)], [nil, true], "labels of the maximum size"
  tasks.close
end

scenario "l09b contradictory settings are rejected with a message" do
  error = raised(Kvlight::Error, "no entry expires") { Kvlight::Tasks.new(stale_ttl_ms: 5) { |_| {} } }
  equal [error.name, error.message.include?("no entry expires")], ["KVL_ERR_BAD_VALUE", true], error.message
end

exit run_scenarios
