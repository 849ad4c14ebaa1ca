# frozen_string_literal: true

# Blocks that raise, threads that are killed, a heap that is compacted, caches that are never closed: none of these affects other fetches. Also tests of
# iteration, files, fallbacks, lookups and memory. Prints TAP; run.sh sets the path of the library.

require "kvlight"
require_relative "tap"
require "timeout"
include Tap # rubocop:disable Style/MixinUsage

def echo(**settings)
  Kvlight::Tasks.new(**settings) { |keys| keys.to_h { |key| [key, [key]] } }
end

# The numbers of Ruby threads and of descriptors of the process.
def threads_and_descriptors
  [Thread.list.size, Dir["/proc/self/fd/*"].size]
end

def resident_kib
  File.read("/proc/self/status")[/VmRSS:\s+(\d+)/, 1].to_i
end

# The KiB by which the process grows when the same work is repeated. This is the least growth of up to three rounds, since a leak grows in every round,
# an allocator only in some. A round that grows by less than 3000 KiB is the last.
def growth
  yield
  least = nil
  3.times do
    3.times { GC.start }
    before = resident_kib
    yield
    3.times { GC.start }
    least = [least, resident_kib - before].compact.min
    break if least < 3000
  end
  least
end

# Checks that other fetches still work, and that close returns.
def still_works(tasks)
  Timeout.timeout(20) { equal tasks.fetch("later"), ["later"], "a later fetch" }
  Timeout.timeout(20) { tasks.close }
end

{
  "raises" => -> { raise "in a block" }, "raises an Exception that is no StandardError" => -> { raise NotImplementedError },
  "throws" => -> { throw :nowhere }, "kills its thread" => -> { Thread.current.kill }, "ends its thread" => -> { Thread.exit }
}.each do |what, misuse|
  scenario "a block of start that #{what} affects no other fetch" do
    failures = Thread::Queue.new
    tasks = echo(on_error: ->(error) { failures << error })
    began = Thread::Queue.new
    tasks.start("a") { |_| (began << true) && misuse.call }
    began.pop
    later = nil
    tasks.start("b") { |result| later = result.value }
    busy_until { later }
    still_works(tasks)
    equal failures.size, what.match?(/raises|throws/) ? 1 : 0, "reported exceptions"
  end

  scenario "a `dropped:` that #{what} affects no fetch" do
    dropped = Thread::Queue.new
    tasks = echo(dropped: ->(value) { (dropped << value) && misuse.call }, on_error: ->(_) {}, cache_capacity: 1)
    %w[a b c].each { |key| equal tasks.fetch(key), [key], "a value" }
    still_works(tasks)
    equal dropped.size, 4, "the number of calls"
  end

  scenario "a provider that #{what} affects no other fetch" do
    tasks = Kvlight::Tasks.new(tasks_max_running: 2, tasks_max_abandoned: 0) do |keys|
      misuse.call if keys.first.start_with?("bad")
      keys.to_h { |key| [key, [key]] }
    end
    5.times do |i|
      Timeout.timeout(20) { raised(Exception, "bad") { tasks.fetch("bad #{i}") } }
    end
    still_works(tasks)
  end
end

scenario "an `on_error:` that raises affects no fetch, nor does an exception whose message raises" do
  tasks = Kvlight::Tasks.new(on_error: ->(_) { raise "again" }) do |keys|
    raise Class.new(StandardError) { def message = raise("no message") } if keys == ["bad"]

    keys.to_h { |key| [key, [key]] }
  end
  code, = program(<<~RUBY)
    tasks = Kvlight::Tasks.new(on_error: ->(_) { raise "again" }) { |keys| keys.to_h { |key| [key, key] } }
    tasks.start("a") { raise "in a block" }
    tasks.close
  RUBY
  equal code, 0, "the program"
  raised(StandardError, "bad") { tasks.fetch("bad") }
  still_works(tasks)
end

scenario "a block that does not return delays no fetch" do
  tasks = echo
  gate = Thread::Queue.new
  tasks.start("a") { gate.pop }
  Timeout.timeout(20) { equal tasks.fetch_all(%w[b c]), [["b"], ["c"]], "the other fetches" }
  gate << :on
  still_works(tasks)
end

scenario "threads that are killed, during a fetch and afterwards, are replaced" do
  requests = Thread::Queue.new
  tasks = Kvlight::Tasks.new do |keys, request|
    next keys.to_h { |key| [key, [key]] } unless keys == ["slow"]

    requests << request
    sleep
  end
  slow = nil
  tasks.start("slow") { |result| slow = result }
  requests.pop
  (Thread.list - [Thread.current]).each(&:kill)
  busy_until { slow }
  equal slow.error.class, ThreadError, "the error of the fetch whose provider was killed"
  (Thread.list - [Thread.current]).each { |thread| thread.kill.join }
  still_works(tasks)
end

scenario "an interrupted fetch is cancelled, and others of the same key are not" do
  requests = Thread::Queue.new
  tasks = Kvlight::Tasks.new { |_, request| requests << request }
  other = tasks.start("a")
  raised(Timeout::Error, "fetch") { Timeout.timeout(0.05) { tasks.fetch("a") } }
  raised(Timeout::Error, "fetch_all") { Timeout.timeout(0.05) { tasks.fetch_all(%w[a b]) } }
  busy_until { requests.size == 2 }
  first = requests.pop
  busy_until { requests.pop.cancelled? }
  equal first.cancelled?, false, "the request that a caller waits for"
  first.answer("a" => "A")
  equal other.value, "A", "the value of the other fetch"
  tasks.close
end

scenario "a provider's result that is no answer is rejected with a message" do
  { 7 => "Strings", nil => "Hash", [] => "Hash" }.each do |wrong, word|
    tasks = Kvlight::Tasks.new { |_| wrong.is_a?(Integer) ? { wrong => "seven" } : wrong }
    error = raised(TypeError, "fetch") { tasks.fetch("7") }
    equal error.message.include?(word), true, error.message
    tasks.close
  end
end

scenario "keys and values stay the same while the heap is compacted continuously" do
  keys_seen = Thread::Queue.new
  tasks = Kvlight::Tasks.new(cache_capacity: 100_000) do |keys|
    keys.each { |key| keys_seen << key }
    keys.to_h { |key| [key, key.size.odd? ? "v#{key}" : [key]] }
  end
  is_done = false
  compacting = Thread.new { GC.compact && sleep(0.0005) until is_done }
  150.times do |round|
    Array.new(500) { |i| "x#{i}" }
    keys = Array.new(60) { |i| "k#{round}-#{i}" }
    wanted = keys.map { |key| key.size.odd? ? "v#{key}" : [key] }
    equal tasks.fetch_all(keys), wanted, "values of round #{round}"
    equal tasks.fetch(keys.first, read: :refresh), wanted.first, "a single key"
    tasks.put("#{round}", keys)
    equal tasks.get("#{round}"), keys, "the value of the put"
  end
  is_done = true
  compacting.join
  equal keys_seen.size.times.map { keys_seen.pop }.grep_v(/\Ak\d+-\d+\z/), [], "keys that were not requested"
  tasks.close
end

scenario "fetches work while the collector runs at every allocation" do
  code, output = program(<<~RUBY)
    GC.stress = true
    dropped = []
    tasks = Kvlight::Tasks.new(cache_capacity: 2, dropped: ->(value) { dropped << value }) { |keys| keys.to_h { |key| [key, [key]] } }
    exit 1 unless tasks.fetch_all(%w[a b c]) == [["a"], ["b"], ["c"]] && tasks.fetch("d", read: :refresh) == ["d"]
    tasks.start("e") { |result| raise unless result.value == ["e"] }.wait
    tasks.close
    GC.stress = false
    exit(dropped.sort == %w[a b c d e].map { |key| [key] } ? 0 : 2)
  RUBY
  equal code, 0, output
end

scenario "caches that are never closed leak no thread and no descriptor" do
  before = threads_and_descriptors
  40.times do |i|
    # The provider refers to the cache, like a block written where the cache is a local variable.
    tasks = Kvlight::Tasks.new(dropped: ->(_) { tasks }) { |keys| tasks && keys.to_h { |key| [key, [key]] } }
    tasks.fetch("a")
    tasks.put("c", {})
    tasks.start("b") { |_| tasks.get("a") } if i.odd?
  end
  # Stale references on a stack may keep one or two caches alive.
  200.times do
    break if threads_and_descriptors.zip(before).all? { |now, then_| now <= then_ + 6 }

    GC.start
    sleep(0.02)
  end
  equal threads_and_descriptors.zip(before).all? { |now, then_| now <= then_ + 6 }, true, "threads and descriptors #{before} -> #{threads_and_descriptors}"
end

scenario "a cache that nothing refers to completes a fetch with a block" do
  gate = Thread::Queue.new
  delivered = Thread::Queue.new
  -> { Kvlight::Tasks.new { |keys| gate.pop && keys.to_h { |key| [key, [key]] } }.start("a") { |result| delivered << result.value } }.call
  5.times { GC.start }
  gate << true
  equal Timeout.timeout(20) { delivered.pop }, ["a"], "the value"
end

scenario "another Ractor is rejected with a message" do
  code, output = program(<<~RUBY)
    begin
      Ractor.new { Kvlight::Tasks.new { |keys| keys.to_h { |key| [key, key] } } }.take
    rescue Ractor::RemoteError => e
      puts e.cause.message
    end
  RUBY
  equal [code, output.include?("kvlight: a cache can be used only in the main Ractor")], [0, true], output
end

scenario "a second copy of the files loads in one process if it has the same version" do
  Dir.mktmpdir do |folder|
    FileUtils.cp_r(File.dirname(Kvlight::LOADED_FROM), folder)
    copy = File.join(folder, "lib/kvlight.rb")
    code, output = program("$VERBOSE = true; require #{copy.inspect}; load #{copy.inspect}; print Kvlight::Tasks.new { {} }.fetch('a').inspect")
    equal [code, output], [0, "nil"], "the same version"
    table = File.join(folder, "lib/kvlight/api.rb")
    File.write(table, File.read(table).sub(/VERSION = ".*"/, 'VERSION = "9.9.9"'))
    code, output = program("require #{copy.inspect}")
    equal [code, output.include?("is 9.9.9")], [1, true], output
  end
end

scenario "a thousand threads fetch at once with the default settings" do
  tasks = echo
  threads = Array.new(1000) { |i| Thread.new { tasks.fetch("key #{i}") }.tap { _1.report_on_exception = false } }
  equal threads.map(&:value), Array.new(1000) { |i| ["key #{i}"] }, "values"
  tasks.close
end

scenario "s18 iteration returns all entries, and a save writes them" do
  tasks = echo
  100.times { |i| tasks.put("key #{i}", i.even? ? "text #{i}" : [i]) }
  tasks.put("none", nil)
  seen = []
  tasks.each_entry { |key, value| seen << [key, value] && tasks.remove("key 7") }
  equal seen.count { |key, _| key != "key 7" }, 100, "entries"
  equal seen.to_h.slice("key 4", "key 5", "none"), { "key 4" => "text 4", "key 5" => [5], "none" => nil }, "values"
  equal tasks.each_entry.first.size, 2, "an enumerator"
  Dir.mktmpdir do |folder|
    path = File.join(folder, "cache")
    equal tasks.save(path), 51, "the saved entries: texts, and one key known to be absent"
    other = echo
    equal [other.load(path), other.get("key 4"), other.get("key 5")], [51, "text 4", nil], "the loaded entries"
    File.binwrite(path, "something else")
    failure =
      begin
        other.load(path)
      rescue Kvlight::Error => e
        e.status
      end
    equal failure, Kvlight::ERR_CORRUPT, "a file that is no saved cache"
    missing = raised(Kvlight::Error, "no file") { other.load(File.join(folder, "missing")) }
    equal [missing.name, missing.message.include?("missing")], ["KVL_ERR_IO", true], "the message names the file"
    other.close
  end
  tasks.close
end

scenario "r02 a fallback is served when the provider fails" do
  answers = { "a" => "one", "b" => "two", "c" => "three" }
  tasks = Kvlight::Tasks.new(cache_ttl_ms: 60_000, stale_ttl_ms: 60_000) { |keys| answers.slice(*keys) }
  equal tasks.fetch_all(%w[a b c]), %w[one two three], "values"
  tasks.put("b", "two", stale_ttl_ms: -1)
  lost = IOError.new("lost")
  answers.update("a" => lost, "b" => lost, "c" => Kvlight::Gone.new("for good"))
  equal %w[a b c d].map { |key| tasks.expire(key) }, [true, true, true, false], "expired"
  equal [tasks.get("a"), tasks.fetch("a")], [nil, "one"], "the fallback"
  result = tasks.results(%w[a], read: :refresh).first
  equal [result.value!, result.stale?, result.error, result.source, result.ttl_left_ms], ["one", true, lost, Kvlight::SOURCE_STALE, 0], "the result"
  equal raised(IOError, "b") { tasks.fetch("b") }, lost, "a value that is no fallback"
  raised(Kvlight::Gone, "c") { tasks.fetch("c") }
  answers["a"] = "new"
  result = tasks.results(%w[a], read: :refresh).first
  equal [result.value, result.stale?, result.error, result.attempts, result.ttl_left_ms.positive?], ["new", false, nil, 1, true], "a fresh value"
  answers["a"] = "newer"
  equal tasks.refresh(%w[a]), nil, "a refresh"
  Timeout.timeout(20) { busy_until { tasks.get("a") == "newer" } }
  tasks.close
end

scenario "r04 a fetch states how long it waits before it is served a fallback" do
  go = Queue.new
  tasks = Kvlight::Tasks.new(cache_ttl_ms: 60_000, stale_ttl_ms: 60_000) { |keys| go.pop && keys.to_h { |key| [key, "new"] } }
  tasks.put("a", "old")
  tasks.expire("a")
  result = tasks.results(%w[a], stale_timeout_ms: 0).first
  equal [result.value, result.stale?, result.error], ["old", true, nil], "the fallback at once"
  equal tasks.fetch("a", stale_timeout_ms: 20), "old", "the fallback after a while"
  go << true
  equal [tasks.fetch("a"), tasks.get("a")], %w[new new], "the load continued and is stored"
  error = raised(Kvlight::Error, "options") { tasks.fetch("b", stale_timeout_ms: 5, timeout_ms: 5) }
  equal [error.name, error.message.include?("stale.timeout_ms")], ["KVL_ERR_BAD_VALUE", true], error.message
  tasks.close
end

scenario "r07 the circuit breaker can be read and forced" do
  tasks = Kvlight::Tasks.new(breaker_consecutive: 1) { |_| raise IOError, "down" }
  equal tasks.breaker, :closed, "at first"
  raised(IOError, "a") { tasks.fetch("a") }
  equal [tasks.breaker, raised(Kvlight::Error, "b") { tasks.fetch("b") }.name], [:open, "KVL_ERR_UNAVAILABLE"], "after a failure"
  equal [:closed, :open, nil].map { |state| tasks.force_breaker(state) || tasks.breaker }, %i[closed open closed], "forced states"
  raised(ArgumentError, "an unknown state") { tasks.force_breaker(:ajar) }
  tasks.close
end

scenario "f11a a provider sets the pause before a retry" do
  begun = []
  tasks = Kvlight::Tasks.new(retry_count: 1, retry_fixed_ms: 1) do |keys|
    begun << Process.clock_gettime(Process::CLOCK_MONOTONIC)
    raise Kvlight::RetryAfter.new("later", after_ms: 60) if begun.size == 1

    keys.to_h { |key| [key, key] }
  end
  equal [tasks.fetch("a"), begun.last - begun.first > 0.059], ["a", true], "the pause: #{begun}"
  raised(ArgumentError, "a negative pause") { Kvlight::RetryAfter.new(after_ms: -1) }
  tasks.close
end

scenario "a lookup returns any kind of value and refuses what is no key, and only a fetch loads a missing key" do
  values = { "object" => [1], "false" => false, "text" => "é", "empty" => "", "nothing" => nil, "symbol" => :a, "number" => 7.5, "" => ["empty key"] }
  tasks = Kvlight::Tasks.new { |keys| keys.to_h { |key| [key, "loaded #{key}"] } }
  values.each { |key, value| equal tasks.put(key, value), true, "the put of #{key}" }
  values.each do |key, value|
    equal [tasks.get(key), tasks.fetch(key)], [value, value], key
    equal tasks.get(key).encoding, Encoding::UTF_8, "the encoding of #{key}" if value.is_a?(String)
  end
  equal [tasks.get("missing"), tasks.fetch("missing"), tasks.get("missing")], [nil, "loaded missing", "loaded missing"], "a key that is loaded"
  [nil, 7, :symbol].each { |key| raised(TypeError, key.inspect) { tasks.get(key) } }
  raised(Kvlight::Error, "a long key") { tasks.get("k" * (Kvlight::KEY_MAX + 1)) }
  tasks.close
  equal raised(Kvlight::Error, "after a close") { tasks.get("object") }.status, Kvlight::ERR_CLOSED, "the status"
end

scenario "a provider that neither returns a Hash nor takes the request fails its keys" do
  [proc { nil }, proc { |_| 7 }, proc { [] }, ->(_) {}].each do |provider|
    tasks = Kvlight::Tasks.new(&provider)
    Timeout.timeout(20) { equal raised(TypeError, "the result") { tasks.fetch("a") }.message.include?("must return a Hash"), true, "the message" }
    tasks.close
  end
end

scenario "wrong lists of keys and wrong conditions are rejected with a message" do
  tasks = echo
  ["one text", nil, 7].each do |keys|
    %i[fetch_all results start_all refresh].each do |name|
      equal raised(TypeError, name) { tasks.public_send(name, keys) }.message.include?("takes an Array of Strings"), true, "the message of #{name}"
    end
  end
  equal tasks.fetch_all(%w[a b].each), [["a"], ["b"]], "an Enumerator"
  equal raised(ArgumentError, "a condition") { tasks.put("a", 1, only_if: :maybe) }.message.include?(":absent or :present"), true, "the message"
  tasks.close
end

scenario "an engine with read: :refresh reloads stored keys" do
  [{ read: "refresh" }, { "read" => :refresh }].each do |setting|
    loads = 0
    tasks = Kvlight::Tasks.new(**setting) { |keys| keys.to_h { |key| [key, [loads += 1]] } }
    equal [tasks.fetch("a"), tasks.fetch("a"), tasks.fetch("a", read: "normal")], [[1], [2], [2]], setting.inspect
    tasks.close
  end
end

scenario "lookups find the right values while another thread replaces and removes them" do
  dropped = 0
  tasks = Kvlight::Tasks.new(cache_capacity: 10, dropped: ->(_) { dropped += 1 }) { |keys| keys.to_h { |key| [key, [key]] } }
  keys = Array.new(20) { |i| "key #{i}" }
  is_done = false
  loaded = Thread::Queue.new
  readers = Array.new(2) do
    Thread.new do
      until is_done
        keys.each { |key| [tasks.get(key), tasks.fetch(key).tap { loaded << 1 }].compact.each { |value| equal value, [key], "the value of #{key}" } }
      end
    end
  end
  puts = 0
  2_000.times do |i|
    tasks.put(keys[i % 20], [keys[i % 20]])
    puts += 1
    tasks.remove(keys[(i * 7) % 20]) if i % 3 == 0
    GC.start if i % 500 == 0
  end
  is_done = true
  readers.each(&:join)
  created = puts + tasks.stats[:loads][:succeeded]
  tasks.close
  equal dropped, created, "objects that were dropped"
end

scenario "memory does not grow" do
  tasks = Kvlight::Tasks.new(cache_capacity: 100) do |keys, request|
    keys.each { |key| key.start_with?("bad") ? request.fail(key, RuntimeError.new(key)) : request.resolve(key, [key]) }
    request.finish
  end
  tasks.fetch("a")
  last = 0
  # How often the frequent operations are repeated; `make test-packages` sets a million.
  calls = ENV["KVL_CALLS"]&.to_i
  {
    "gets" => -> { (calls || 200_000).times { tasks.get("a") } },
    "puts" => -> { (calls || 50_000).times { tasks.put("p", "value") } },
    "loads" => -> { ((calls || 50_000) / 100).times { tasks.fetch_all(Array.new(100) { "key #{last += 1}" }) } },
    "single loads" => -> { ((calls || 50_000) / 10).times { tasks.fetch("key #{last += 1}") } }, # each wakes two threads of Ruby
    "failures" => -> { ((calls || 50_000) / 100).times { tasks.results(Array.new(100) { "bad #{last += 1}" }) } },
    "writes" => -> { 20_000.times { |i| tasks.put("w#{i % 50}", "v", stale_ttl_ms: 5) && tasks.touch("w#{i % 50}") && tasks.expire("w#{i % 50}") } },
    "tags" => -> { 20_000.times { |i| tasks.put("t#{i % 50}", "v", tags: ["t"], version: "v") && tasks.expire_tag("t") && tasks.remove_tag("t") } },
    "breakers" => -> { 20_000.times { tasks.force_breaker(nil) || tasks.breaker } },
    "files" => lambda {
      Dir.mktmpdir do |folder|
        200.times { tasks.save("#{folder}/a") && tasks.clear.load("#{folder}/a") }
      end
    },
    "entries" => -> { 1_000.times { tasks.each_entry { |_, value| value } } },
    "options" => -> { (calls || 10_000).times { |i| tasks.fetch("a", timeout_ms: 1000 + i) } }
  }.each do |what, work|
    grown = growth(&work)
    equal grown < 3000, true, "#{what}: the process has grown by #{grown} KiB"
  end
  tasks.close
end

require "tmpdir"
require "fileutils"
exit run_scenarios
