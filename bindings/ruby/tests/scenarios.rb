# frozen_string_literal: true

# The scenarios that every language has, and tests specific to Ruby. While results are delivered to blocks of start, this thread is busy, not blocked in a
# call. Prints TAP; run.sh sets the path of the library.

require "kvlight"
require_relative "tap"
include Tap # rubocop:disable Style/MixinUsage

Thread.report_on_exception = true

# An engine whose provider answers "user <key>" for keys that do not begin with "no", and the keys that the provider was called with.
def user_tasks(**settings, &provider)
  loaded = Thread::Queue.new
  provider ||= lambda do |keys|
    keys.each { |key| loaded << key }
    keys.reject { |key| key.start_with?("no") }.to_h { |key| [key, "user #{key}"] }
  end
  [Kvlight::Tasks.new(**settings, &provider), loaded]
end

# An engine whose provider leaves its requests unanswered, and a queue of those requests.
def unanswered_tasks(**settings)
  requests = Thread::Queue.new
  [Kvlight::Tasks.new(**settings) { |_, request| requests << request }, requests]
end

# Fetches a key through a block of start, and returns its Result.
def result_of(tasks, key, **options)
  result = nil
  tasks.start(key, **options) { |each| result = each }
  busy_until { result }
  result
end

def results_of_all(tasks, keys, **options)
  results = nil
  tasks.start_all(keys, **options) { |each| results = each }
  busy_until { results }
  results
end

# Runs a block in a child process, which must exit with status 0 within a minute.
def in_child_process(what)
  reader, writer = IO.pipe
  child = fork do
    reader.close
    $stdout.reopen(writer)
    $stderr.reopen(writer)
    yield
  end
  writer.close
  watch = Thread.new do
    Process.kill(:KILL, child) unless IO.select([reader], nil, nil, 60) && (output = reader.read)
    output
  end
  _, status = Process.wait2(child)
  equal(status.exitstatus, 0, "#{what}: #{status.inspect} #{watch.value}")
end

scenario "hit" do
  tasks, loaded = user_tasks
  equal result_of(tasks, "7").value, "user 7", "loaded"
  equal tasks.fetch("7"), "user 7", "from the store"
  equal loaded.size, 1, "keys loaded"
  equal tasks.stats[:lookups][:hits], 1, "hits"
  equal tasks.put("8", "put"), true, "put"
  equal tasks.fetch("8"), "put", "the value of the put"
  tasks.close
end

scenario "null hit" do
  tasks, loaded = user_tasks
  equal result_of(tasks, "nobody").status, Kvlight::NULL, "loaded"
  equal tasks.fetch("nobody"), nil, "from the store"
  equal loaded.size, 1, "keys loaded"
  equal tasks.stats[:lookups][:null_hits], 1, "null hits"
  tasks.close
end

scenario "miss" do
  tasks, loaded = user_tasks
  equal tasks.get("7"), nil, "a lookup"
  equal result_of(tasks, "7", read: :cache_only).status, Kvlight::MISS, "a cache-only fetch"
  equal loaded.size, 0, "keys loaded"
  equal result_of(tasks, "7").value, "user 7", "a fetch"
  equal loaded.size, 1, "keys loaded"
  tasks.close
end

scenario "batch with duplicates" do
  tasks, loaded = user_tasks
  results = results_of_all(tasks, %w[1 2 1 nobody 2])
  equal results.map(&:value), ["user 1", "user 2", "user 1", nil, "user 2"], "values"
  equal results.map(&:key), %w[1 2 1 nobody 2], "keys"
  equal loaded.size, 3, "keys loaded"
  equal tasks.fetch_all([]), [], "an empty batch"
  tasks.close
end

scenario "one failing key in a batch" do
  broken = ArgumentError.new("b is broken")
  tasks, = user_tasks { { "a" => "A", "b" => broken, "c" => "C" } }
  results = results_of_all(tasks, %w[a b c b])
  equal results.values_at(0, 2).map(&:value), %w[A C], "the keys that do not fail"
  equal results[1].status, Kvlight::ERR_PROVIDER, "the key that fails"
  equal results.values_at(1, 3).all? { |result| result.error.equal?(broken) }, true, "the same error"
  equal raised(ArgumentError, "fetch_all") { tasks.fetch_all(%w[a b]) }.equal?(broken), true, "the error that fetch_all raises"
  tasks.close
end

scenario "retry then success" do
  attempts = 0
  tasks, = user_tasks(retry_count: 5) do
    attempts += 1
    raise "not yet" if attempts < 3

    { "a" => "at last" }
  end
  result = result_of(tasks, "a")
  equal result.value, "at last", "value"
  equal result.attempts, 3, "attempts"
  equal attempts, 3, "calls of the provider"
  tasks.close
end

scenario "timeout" do
  tasks, requests = unanswered_tasks
  equal result_of(tasks, "a", timeout_ms: 500).error.name, "KVL_ERR_TIMEOUT", "the error"
  equal raised(Kvlight::Error, "fetch") { tasks.fetch("b", timeout_ms: 20) }.status, Kvlight::ERR_TIMEOUT, "the error that fetch raises"
  equal requests.pop.cancelled?, false, "the load continues for the next fetch"
  tasks.close
  broken = ArgumentError.new("not now")
  failing, = user_tasks(retry_count: 1, retry_fixed_ms: 60_000) { raise broken }
  # Time enough for the first attempt, also on a busy machine.
  result = result_of(failing, "a", timeout_ms: 1000)
  equal [result.error.name, result.attempts], ["KVL_ERR_TIMEOUT", 1], "the error"
  equal result.error.cause.equal?(broken), true, "the error of the failed attempt"
  failing.close
end

scenario "cancel" do
  tasks, requests = unanswered_tasks
  one = other = nil
  fetch = tasks.start("a") { |result| one = result }
  tasks.start("a") { |result| other = result }
  busy_until { !requests.empty? }
  fetch.cancel
  busy_until { one }
  equal one.status, Kvlight::ERR_CANCELLED, "the cancelled fetch"
  equal other, nil, "the other fetch still waits"
  requests.pop.answer("a" => "A")
  busy_until { other }
  equal other.value, "A", "the other fetch"
  fetch.cancel
  tasks.close
end

scenario "close while loading" do
  tasks, requests = unanswered_tasks(tasks_max_running: 1)
  delivered = []
  3.times { |i| tasks.start("key #{i}") { |result| delivered << result.status } }
  busy_until { !requests.empty? }
  tasks.close
  equal delivered, [Kvlight::ERR_CLOSED] * 3, "the outcome of each fetch"
  equal raised(Kvlight::Error, "a later fetch") { tasks.fetch("a") }.status, Kvlight::ERR_CLOSED, "a later fetch"
  equal raised(Kvlight::Error, "a later answer") { requests.pop.resolve("key 0", "late") }.status, Kvlight::ERR_CLOSED, "a later answer"
  tasks.close
end

scenario "10,000 keys" do
  tasks, loaded = user_tasks(cache_capacity: 20_000, batch_max_keys: 500)
  keys = Array.new(10_000) { |i| "key #{i}" }
  results = results_of_all(tasks, keys)
  equal results.map(&:value), keys.map { |key| "user #{key}" }, "values"
  equal loaded.size, 10_000, "keys loaded"
  equal tasks.fetch_all(keys).size, 10_000, "hits"
  equal loaded.size, 10_000, "keys loaded, unchanged"
  tasks.close
end

scenario "callback that fetches" do
  tasks, = user_tasks
  inner = waited = nil
  tasks.start("a") do |first|
    tasks.start("#{first.value} once more") { |second| inner = second.value }
    waited = tasks.fetch("b")
  end
  busy_until { inner && waited }
  equal waited, "user b", "a blocking fetch inside a callback"
  equal inner, "user user a once more", "a fetch started inside a callback"
  tasks.close
end

scenario "object value whose destructor is counted" do
  created = Thread::Queue.new
  dropped = Hash.new(0).compare_by_identity
  provider = ->(keys) { keys.to_h { |key| [key, { name: key }.tap { |value| created << value }] } }
  tasks, = user_tasks(cache_capacity: 10, dropped: ->(value) { dropped[value] += 1 }, &provider)
  kept = result_of(tasks, "key 1").value
  equal tasks.fetch("key 1").equal?(kept), true, "the same Hash"
  100.times { |i| equal result_of(tasks, "key #{i}").value[:name], "key #{i}", "name" }
  tasks.remove("key 99")
  tasks.close
  equal dropped.values.uniq, [1], "how often each object was dropped"
  equal dropped.size, created.size, "objects dropped"
end

# -- Specific to Ruby --------------------------------------------------------------------------------------------------------

scenario "a callback that the library would call is rejected with a message" do
  { validator: proc {}, removal_listener: proc {}, delivery: :thread }.each do |name, value|
    error = raised(ArgumentError, name) { Kvlight::Tasks.new(**{ name => value }) { {} } }
    equal error.message.match?(/#{name}/), true, error.message
  end
  equal raised(ArgumentError, "no block") { Kvlight::Tasks.new }.message.match?(/provider/), true, "no provider"
end

scenario "a wrong setting is rejected with a message" do
  error = raised(Kvlight::Error, "a setting") { Kvlight::Tasks.new("cache.capacty" => 10) { {} } }
  equal error.message.match?(/cache\.capacity/), true, error.message
  tasks, = user_tasks
  error = raised(Kvlight::Error, "an option") { tasks.fetch("a", timeout_ms: 0) }
  equal error.message.match?(/timeout_ms/), true, error.message
  equal raised(TypeError, "a key") { tasks.fetch(7) }.message.match?(/Strings/), true, "a key that is no String"
  tasks.close
end

scenario "a permanent error is not retried" do
  calls = 0
  tasks, = user_tasks(retry_count: 5) { (calls += 1) && raise(Kvlight::Permanent, "gone for good") }
  equal result_of(tasks, "a").error.message, "gone for good", "the error"
  equal calls, 1, "calls of the provider"
  tasks.close
end

scenario "conditional puts, and touches" do
  tasks, = user_tasks
  equal tasks.put("a", "new", only_if: :present), false, "only if present, without an entry"
  equal tasks.put("a", "first", only_if: :absent), true, "only if absent"
  equal tasks.put("a", "second", only_if: :absent), false, "only if absent, with an entry"
  equal tasks.get("a"), "first", "the unchanged value"
  equal tasks.put("a", "third", keep_ttl: true, only_if: :present), true, "only if present"
  equal [tasks.touch("a", ttl_ms: 60_000), tasks.touch("nobody")], [true, false], "touched"
  equal raised(ArgumentError, "an unknown term") { tasks.put("a", "b", tll_ms: 5) }.message.match?(/tll_ms/), true, "unknown terms"
  tasks.close
end

scenario "keys and values of any bytes" do
  tasks, = user_tasks { |keys| keys.to_h { |key| [key, "#{key}\0é"] } }
  ["", "a\0b", "é", "x" * 65_535].each do |key|
    equal result_of(tasks, key).value, "#{key}\0é", "value"
    equal tasks.fetch(key), "#{key}\0é", "hit"
  end
  equal raised(Kvlight::Error, "a key that is too long") { tasks.fetch("x" * 65_536) }.status, Kvlight::ERR_KEY_TOO_LONG, "its status"
  tasks.close
end

scenario "a close ends the fetches of many threads" do
  tasks, = user_tasks(cache_capacity: 100)
  threads = Array.new(8) do |n|
    Thread.new do
      loop { tasks.fetch("key #{rand(n * 100)}") }
    rescue Kvlight::Error => e
      e.status
    end
  end
  busy_until { tasks.stats[:lookups][:misses] > 500 }
  tasks.close
  equal threads.map(&:value).uniq, [Kvlight::ERR_CLOSED], "the status of each"
end

scenario "a block of start can close the cache" do
  tasks, requests = unanswered_tasks
  delivered = []
  tasks.start("b") { |result| delivered << result.status }
  tasks.start("a", timeout_ms: 20) do |result|
    delivered << result.status
    tasks.close
    delivered << :closed
  end
  busy_until { delivered.include?(:closed) }
  equal delivered, [Kvlight::ERR_TIMEOUT, Kvlight::ERR_CLOSED, :closed], "in this order"
  equal requests.size.positive?, true, "requests"
end

scenario "a fork: the child's calls are rejected, it creates an engine of its own, and the parent continues" do
  tasks, requests = unanswered_tasks
  result = nil
  tasks.start("a") { |each| result = each }
  busy_until { !requests.empty? }
  in_child_process("a child") do
    status = begin
      tasks.fetch("a")
    rescue Kvlight::Error => e
      e.status
    end
    exit 3 unless status == Kvlight::ERR_FORKED
    own, = user_tasks
    exit 4 unless own.fetch("b") == "user b"
    own.close
    exit 0
  end
  requests.pop.answer("a" => "A")
  busy_until { result }
  equal result.value, "A", "the value in the parent"
  tasks.close
end

scenario "the interpreter exits with fetches in progress" do
  in_progress = <<~RUBY
    tasks = Kvlight::Tasks.new { |keys, request| $held = request; keys.include?("slow") ? sleep : { "a" => [1] } }
    tasks.fetch("a")
    20.times { |i| tasks.start("key \#{i}") { } }
    tasks.start("slow") { }
  RUBY
  ["", "exit", "Thread.new { tasks.fetch('b') }; Thread.pass", "exit!(0)", "tasks.start('a') { exit }; sleep 0.01",
   "tasks = nil; GC.start", "at_exit { tasks.close }", "raise 'while exiting'"].each do |ending|
    code, output = program("#{in_progress}\n#{ending}")
    equal code, ending.start_with?("raise") ? 1 : 0, "#{ending.inspect}: #{output}"
  end
end

exit run_scenarios(["Ruby", RUBY_VERSION, "queue"])
