# frozen_string_literal: true

# Threads that are interrupted at any step, wrong arguments, copies, waits that could never end: none of these crashes the process, mixes up keys, or is
# taken for something else. Prints TAP; run.sh sets the path of the library.

require "kvlight"
require_relative "tap"
require "pathname"
require "set"
require "stringio"
require "timeout"
require "tmpdir"
include Tap # rubocop:disable Style/MixinUsage

class Interruption < StandardError; end

# A cache that stores nothing, so that each fetch calls its provider.
def passing(**settings)
  Kvlight::Tasks.new(cache_capacity: 0, **settings) { |keys| keys.to_h { |key| [key, ["value of #{key}"]] } }
end

# Calls the block, and interrupts the thread right after a function of the library has returned in it. Returns whether that function was called.
def interrupted_after(function)
  caller_thread = Thread.current
  trace = TracePoint.new(:return) do |point|
    next unless point.method_id == function && Thread.current == caller_thread

    trace.disable
    Thread.new { caller_thread.raise(Interruption) }.join
  end
  begin
    trace.enable { yield }
  rescue Interruption
    true
  else
    false
  end
end

# The objects that the library holds.
def objects_of(tasks)
  tasks.instance_variable_get(:@objects).size
end

# How many values wait for `dropped:`.
def waiting_for_dropped(tasks)
  tasks.instance_variable_get(:@backlog).instance_variable_get(:@size)
end

# Waits until the block returns true, at most 20 seconds.
def eventually(what)
  2000.times { yield ? return : sleep(0.01) }
  raise Failed, "#{what}: never"
end

scenario "f01 a fetch that an interrupt ends leaves no outcome to the next one" do
  %i[kvl_fetch_new kvl_tasks_fetch kvl_tasks_fetch_all kvl_options_new].each do |function|
    tasks = passing
    20.times do |i|
      interrupted = interrupted_after(function) do
        function == :kvl_tasks_fetch_all ? tasks.fetch_all(["old #{i}"]) : tasks.fetch("old #{i}", **(function == :kvl_options_new ? { priority: 1 } : {}))
      end
      equal interrupted, true, "whether #{function} was called"
      equal Timeout.timeout(20) { tasks.fetch("new #{i}") }, ["value of new #{i}"], "the next fetch, after #{function}"
    end
    eventually("fetches after #{function}") { tasks.inspect.include?(" 0 fetches") }
    eventually("objects after #{function}") { objects_of(tasks).zero? }
    tasks.close
  end
end

scenario "f01 fetches of threads that Timeout interrupts get their own values" do
  tasks = passing
  wrong = Thread::Queue.new
  threads = Array.new(6) do |thread|
    Thread.new do
      last = 0
      300.times do
        Timeout.timeout(0.0005 + rand * 0.005) do
          loop do
            key = "#{thread}-#{last += 1}"
            value = tasks.fetch(key)
            wrong << [key, value] unless value == ["value of #{key}"]
          end
        end
      rescue Timeout::Error
        nil
      end
    end
  end
  threads.each(&:join)
  equal wrong.size.times.map { wrong.pop }, [], "values of other keys"
  eventually("fetches") { tasks.inspect.include?(" 0 fetches") }
  tasks.close
end

# Calls the block, and returns how often each function of the library was called.
def calls_of(&work)
  counts = Hash.new(0)
  TracePoint.new(:call) { |point| counts[point.method_id] += 1 if point.self == Kvlight::Native }.enable(&work)
  counts
end

scenario "l04 an interrupt at any step of a put, a lookup or a close leaks nothing" do
  tasks = Kvlight::Tasks.new { |_| {} }
  {
    kvl_value_new_object_on: [-> { tasks.put("a", [1]) }, :kvl_value_release], kvl_cache_put: [-> { tasks.put("a", "b") }, :kvl_cache_release],
    kvl_value_new_bytes: [-> { tasks.put("a", "text") }, :kvl_value_release], kvl_tasks_cache: [-> { tasks.remove("a") }, :kvl_cache_release],
    kvl_tasks_stats_json: [-> { tasks.stats }, :kvl_value_release], kvl_options_new: [-> { tasks.refresh(["a"], priority: 1) }, :kvl_options_free]
  }.each do |function, (call, release)|
    counts = calls_of { 5.times { equal interrupted_after(function, &call), true, "whether #{function} was called" } }
    equal counts[release], 5, "calls of #{release} after #{function}"
    equal [tasks.put("b", ["b"]), tasks.get("b")], [true, ["b"]], "the next put"
    tasks.clear
    eventually("objects after #{function}") { objects_of(tasks).zero? }
  end
  equal interrupted_after(:kvl_tasks_close) { tasks.close }, true, "whether the close began"
  Timeout.timeout(20) { tasks.close }
  equal tasks.closed?, true, "closed"
end

scenario "l09 terms of a wrong type are refused, in a put and in an answer" do
  wrong = {
    tags: ["shelf 7", "ab", nil, 7, :tag, [nil], [7], { "a" => "b" }], version: [nil, 7, :v], ttl_ms: ["5", nil, 1.5, 0.9, Float::NAN], cost: [1.5, nil, "1"],
    stale_ttl_ms: [0.5, nil], priority: [nil, "high", Complex(1, 1)], keep_ttl: ["no", 0], only_if: [true]
  }
  terms = nil
  answering = Kvlight::Tasks.new { |keys, request| request.resolve(keys[0], 1, **terms) && request.finish }
  tasks = Kvlight::Tasks.new { |_| {} }
  wrong.each do |name, values|
    values.each do |value|
      error = name == :only_if ? ArgumentError : TypeError
      terms = { name => value }
      [-> { tasks.put("a", 1, **terms) }, -> { answering.fetch("a") }].each do |call|
        message = raised(error, terms) { call.call }.message
        equal message.match?(/kvlight: .*(#{name}|versions and tags)/), true, message
      end
    end
  end
  [nil, 1.5, "5"].each { |ttl| raised(TypeError, "touch") { tasks.touch("a", ttl_ms: ttl) } }
  equal [tasks.each_entry.to_a, answering.each_entry.to_a], [[], []], "what is stored"
  equal [tasks.put("a", 1, tags: Set["t"], priority: 1r, keep_ttl: nil), tasks.remove_tag("t")], [true, 1], "a Set of tags"
  [tasks, answering].each(&:close)
end

scenario "l09 numbers of more than 64 bits are refused and not cut" do
  tasks = Kvlight::Tasks.new { |_| {} }
  [2**63, 2**64, 2**64 + 5, -2**63 - 1].each do |number|
    %i[ttl_ms cost stale_ttl_ms].each do |name|
      equal raised(Kvlight::Error, name) { tasks.put("a", 1, name => number) }.name, "KVL_ERR_BAD_VALUE", "#{name}: #{number}"
    end
    equal raised(Kvlight::Error, "touch") { tasks.touch("a", ttl_ms: number) }.name, "KVL_ERR_BAD_VALUE", "touch: #{number}"
    equal raised(Kvlight::Error, "a setting") { Kvlight::Tasks.new(cache_capacity: number) { |_| {} } }.name, "KVL_ERR_BAD_VALUE", "a setting: #{number}"
    raised(ArgumentError, "a pause") { Kvlight::RetryAfter.new(after_ms: number) }
  end
  [0.5, 1/2r].each { |pause| equal Kvlight::RetryAfter.new(after_ms: pause).after_ms, 1, "a pause is rounded up" }
  [-0.5, -1/2r, Float::NAN, Float::INFINITY].each { |pause| raised(ArgumentError, "a pause") { Kvlight::RetryAfter.new(after_ms: pause) } }
  equal [tasks.get("a"), tasks.put("a", 1, ttl_ms: 2**63 - 1), tasks.get("a")], [nil, true, 1], "the largest number"
  tasks.close
end

scenario "l09 a boolean is refused where a setting takes a number" do
  message = raised(Kvlight::Error, "a capacity") { Kvlight::Tasks.new(cache_capacity: true) { |_| {} } }.message
  equal message.include?("cache.capacity"), true, message
  tasks = Kvlight::Tasks.new(batch_omitted_is_null: true, provider_idempotent: false) { |_| {} }
  equal raised(Kvlight::Error, "retries") { tasks.fetch("a", retry_count: false) }.name, "KVL_ERR_BAD_VALUE", "an option"
  tasks.close
end

scenario "l09 what is no path, and a NUL byte in a path or a setting, is refused" do
  tasks = Kvlight::Tasks.new { |_| {} }
  Dir.mktmpdir do |folder|
    [12_345, nil, :file, []].each { |path| %i[save load].each { |name| raised(TypeError, path.inspect) { tasks.public_send(name, path) } } }
    %i[save load].each { |name| raised(ArgumentError, "a NUL byte") { tasks.public_send(name, "#{folder}/cut\0off") } }
    equal Dir.children(folder), [], "files"
    tasks.put("a", "saved")
    path = Pathname(folder) + "cache"
    equal [tasks.save(path), tasks.clear.load(path), tasks.get("a")], [1, 1, "saved"], "a Pathname"
  end
  [{ read: "refresh\0more" }, { "timeout_ms\0more" => 5 }].each { |options| raised(ArgumentError, options) { tasks.fetch("a", **options) } }
  raised(ArgumentError, "a setting") { Kvlight::Tasks.new(cache_capacity: "10\0more") { |_| {} } }
  tasks.close
end

scenario "f16a a provider that changes its list of keys makes no record absent" do
  {
    "shift" => ->(keys) { [].tap { |all| (all << keys.shift) until keys.empty? } }, "clear" => ->(keys) { keys.dup.tap { keys.clear } },
    "reject!" => ->(keys) { keys.dup.tap { keys.reject! { |key| key == "b" } } }, "map!" => ->(keys) { keys.dup.tap { keys.map!(&:upcase) } },
    "sort!" => ->(keys) { keys.sort!.reverse! }, "<<" => ->(keys) { keys << "more" }
  }.each do |what, change|
    tasks = Kvlight::Tasks.new { |keys| change.call(keys).to_h { |key| [key, "value of #{key}"] } }
    equal tasks.fetch_all(%w[a b c]), ["value of a", "value of b", "value of c"], what
    tasks.close
  end
  tasks = Kvlight::Tasks.new { |keys| keys.each(&:upcase!).to_h { |key| [key, 1] } }
  raised(FrozenError, "a key that is changed") { tasks.fetch("a") }
  tasks.close
end

scenario "f16a an answer whose keys differ in their encoding alone is found by their bytes, or refused" do
  by_identity = ->(keys) { {}.compare_by_identity.tap { |rows| keys.each { |key| rows[key.dup] = "v" } } }
  { "binary" => ->(keys) { keys.to_h { |key| [key.b, "v"] } }, "by identity" => by_identity }.each do |what, provider|
    tasks = Kvlight::Tasks.new(&provider)
    equal tasks.fetch_all(%w[é a]), %w[v v], what
    tasks.close
  end
  tasks = Kvlight::Tasks.new { |keys, request| keys.each { |key| request.resolve(key.b, "v") } && request.finish }
  equal tasks.fetch("é"), "v", "resolve"
  tasks.close
  %w[UTF-16LE ISO-8859-1].each do |encoding|
    tasks = Kvlight::Tasks.new { |keys| keys.to_h { |key| [key.encode(encoding), "v"] } }
    message = raised(TypeError, encoding) { tasks.fetch("é") }.message
    equal message.include?(encoding), true, message
    tasks.close
  end
  tasks = Kvlight::Tasks.new { |_| { "b".encode("UTF-16LE") => 1, "\xff".b => 2, "other" => 3 } }
  equal tasks.fetch("a"), nil, "other keys"
  raised(KeyError, "a key that was not requested") { Kvlight::Tasks.new { |_, request| request.resolve("b", 1) }.fetch("a") }
  tasks.close
end

scenario "t01 what a second tier returns under a key of another encoding is found by its bytes" do
  tier = Class.new(Kvlight::SecondTier) do
    def initialize = (@rows = {})
    def read(keys) = keys.to_h { |key| [key.b, @rows[key]] }
    def write(entries) = entries.each { |entry| @rows[entry.key] = entry.data }
    def fill(entries) = write(entries) && nil
    def remove(_) = nil
    def clear = nil
  end.new
  one, other = Array.new(2) { Kvlight::Tasks.new(second_tier: tier, l2_timeout_ms: 60_000) { |_| {} } }
  one.put("é", "v")
  eventually("the write") { tier.read(["é"])["é".b] }
  equal other.results(["é"]).map { |result| [result.value, result.source] }, [["v", Kvlight::SOURCE_L2]], "found"
  [one, other].each(&:close)
end

scenario "l04 what owns something of the library cannot be copied, and a failed copy ends nothing" do
  requests = Thread::Queue.new
  tasks = Kvlight::Tasks.new { |keys, request| keys == ["later"] ? requests << request : keys.to_h { |key| [key, [key]] } }
  fetch = tasks.start("later")
  request = requests.pop
  copy = lambda do |object|
    %i[dup clone].each { |name| raised(TypeError, "#{name} of #{object.class}") { object.public_send(name) } }
    raised(TypeError, "a Ractor's copy of #{object.class}") { Ractor.new(object) { 1 } } if defined?(Ractor)
  end
  verbose, $VERBOSE = $VERBOSE, nil # Ractors are experimental
  [tasks, fetch, request].each { |object| 3.times { copy.call(object) } }
  $VERBOSE = verbose
  5.times do
    GC.start
    sleep(0.05)
  end
  equal [tasks.closed?, tasks.fetch("a"), request.resolve("later", 1)], [false, ["a"], true], "the originals"
  request.finish
  equal fetch.value, 1, "the fetch"
  tasks.close
end

scenario "l03 any exception of a block or of `dropped:` reaches `on_error:`, and what `on_error:` raises ends no thread" do
  odd = Class.new(Exception) { def message = raise(Exception, "no message") } # rubocop:disable Lint/InheritException
  stderr = $stderr
  [Exception, SecurityError, Interrupt, NoMemoryError, odd].each do |kind|
    reported = Thread::Queue.new
    on_error = lambda do |error|
      reported << [error.class, Thread.current]
      raise kind
    end
    tasks = Kvlight::Tasks.new(on_error: on_error, dropped: ->(_) { raise kind }) { |keys| keys.to_h { |key| [key, key] } }
    $stderr = StringIO.new # where what `on_error:` raises is printed
    tasks.start("a") { |_| raise kind }
    from_block, worker = Timeout.timeout(20) { reported.pop }
    equal from_block, kind, "from a block"
    tasks.put("b", ["b"])
    tasks.remove("b")
    equal Timeout.timeout(20) { reported.pop }, [kind, worker], "from `dropped:`"
    called = Thread::Queue.new
    tasks.start("c") { |_| called << Thread.current }
    equal Timeout.timeout(20) { called.pop }.equal?(worker), true, "the thread after #{kind}"
    tasks.close
  ensure
    $stderr = stderr
  end
  code, output = program(<<~RUBY)
    odd = Class.new(Exception) { def message = raise(Exception, "no message") }
    tasks = Kvlight::Tasks.new { |_| raise odd }
    fetch = tasks.start("a") { |_| raise odd }
    puts fetch.wait.error.class == odd
    tasks.close
  RUBY
  equal [code, output.include?("true"), output.include?("a block given to start")], [0, true, true], output
end

scenario "l03 Timeout works in `on_error:`, and the process can exit while it runs" do
  outcome = Thread::Queue.new
  on_error = lambda do |_|
    Timeout.timeout(0.05) { sleep 600 }
  rescue Timeout::Error
    outcome << :timeout
  end
  tasks = Kvlight::Tasks.new(on_error: on_error) { |keys| keys.to_h { |key| [key, key] } }
  tasks.start("a") { |_| raise "in a block" }
  equal Timeout.timeout(60) { outcome.pop }, :timeout, "what interrupted `on_error:`"
  tasks.close
  %w[block tier].each do |what|
    code, output = program(<<~RUBY)
      tier = Class.new(Kvlight::SecondTier).new if #{(what == "tier").inspect}
      began = Thread::Queue.new
      tasks = Kvlight::Tasks.new(on_error: ->(_) { (began << true) && sleep(600) }, second_tier: tier) { |keys| keys.to_h { |key| [key, key] } }
      tasks.start("a") { |_| raise "in a block" }
      began.pop
      Thread.new { sleep 60; exit! 9 }
    RUBY
    equal code, 0, "#{what}: #{output}"
  end
end

# Providers that fail the key "a" with an exception of the class.
def failing(kind)
  {
    "raised" => ->(_) { raise kind }, "in place of a value" => ->(keys) { keys.to_h { |key| [key, kind.new] } },
    "fail" => ->(_, request) { request.fail("a", kind.new) && request.finish }, "finish_error" => ->(_, request) { request.finish_error(kind.new) }
  }
end

scenario "l03 while the `message` of a provider's exception runs, others can use the cache" do
  began, gate = Array.new(2) { Thread::Queue.new }
  kind = Class.new(StandardError) { define_method(:message) { (began << true) && gate.pop } }
  failing(kind).each do |what, provider|
    tasks = Kvlight::Tasks.new(&provider)
    fetch = tasks.start("a")
    Timeout.timeout(60) { began.pop }
    other = Thread.new { [tasks.put("b", ["b"]), tasks.get("b"), tasks.fetch("b")] }
    equal other.join(60)&.value, [true, ["b"], ["b"]], "what another thread does meanwhile, #{what}"
    gate << "a message"
    equal Timeout.timeout(60) { fetch.wait.error.class }, kind, what
    tasks.close
  end
ensure
  gate.close
end

scenario "l03 Timeout works in the `message` of a provider's exception, which may use the cache, and a wait for the provider's key is refused there" do
  tasks = nil
  outcome = Thread::Queue.new
  kind = Class.new(StandardError) do
    define_method(:message) do
      Timeout.timeout(0.05) { sleep 600 }
    rescue Timeout::Error
      refused = begin
        tasks.fetch("a")
      rescue Kvlight::Error => e
        e.status
      end
      outcome << [tasks.get("b"), refused]
      "a message"
    end
  end
  failing(kind).each do |what, provider|
    tasks = Kvlight::Tasks.new(&provider)
    tasks.put("b", ["b"])
    fetch = tasks.start("a")
    equal Timeout.timeout(60) { outcome.pop }, [["b"], Kvlight::ERR_REENTRANT], what
    equal Timeout.timeout(60) { fetch.wait.error.class }, kind, what
    tasks.close
  end
end

scenario "l03 a thread that is killed in the `message` of a provider's exception leaves no caller without an outcome" do
  kind = Class.new(StandardError) { define_method(:message) { Thread.current.kill && sleep } }
  failing(kind).each do |what, provider|
    tasks = Kvlight::Tasks.new(&provider)
    error = Timeout.timeout(60) { tasks.start("a").wait.error }
    equal [error.class, error.message.include?("killed")], [ThreadError, true], what
    tasks.close
  end
end

scenario "l05 an interrupt ends a close that waits for `dropped:`, and a later close waits again" do
  gate = Thread::Queue.new
  dropped = []
  tasks = Kvlight::Tasks.new(dropped: ->(value) { gate.pop && dropped << value }) { |_| {} }
  tasks.put("a", ["a"])
  raised(Interruption, "close") { Timeout.timeout(0.2, Interruption) { tasks.close } }
  gate << true
  Timeout.timeout(20) { tasks.close }
  equal dropped, [["a"]], "what was dropped"
end

scenario "s20 Enumerators that are never finished are freed" do
  tasks = Kvlight::Tasks.new { |_| {} }
  10.times { |i| tasks.put("k#{i}", "v") }
  abandon = lambda do |count|
    count.times do
      entries = tasks.each_entry
      entries.next
    end
  end
  # A TracePoint would miss finalizers that run while it handles another call.
  freed = 0
  Kvlight::Native.singleton_class.prepend(Module.new { define_method(:kvl_iterator_free) { |iterator| (freed += 1) && super(iterator) } })
  tasks.each_entry.first
  tasks.each_entry { |_, _| break }
  equal freed, 2, "iterations that have ended"
  abandon.call(200)
  # Stale references on a stack may keep a few alive.
  eventually("iterations that are never finished") { GC.start.nil? && freed > 180 }
  tasks.close
end

scenario "f20 an exception of a provider is raised without the caller's own exception as its cause" do
  own = ArgumentError.new("the cause")
  errors = { "plain" => RuntimeError.new("shared"), "frozen" => RuntimeError.new("frozen").freeze, "caused" => begin
    raise "with a cause", cause: own
  rescue StandardError => e
    e
  end }
  tasks = Kvlight::Tasks.new(cache_error_ttl_ms: 60_000) { |keys| errors.slice(*keys) }
  errors.each do |key, error|
    %i[fetch fetch_all].each do |name|
      begin
        raise IOError, "of the caller"
      rescue IOError
        caught = raised(StandardError, key) { tasks.public_send(name, name == :fetch ? key : [key]) }
      end
      equal [caught.equal?(error), caught.cause], [true, key == "caused" ? own : nil], "#{name} of #{key}"
    end
  end
  tasks.close
end

scenario "f21 a wait of the provider that could never end is refused" do
  waits = {
    "fetch" => ->(tasks, key) { tasks.fetch(key) }, "binary" => ->(tasks, key) { tasks.fetch(key.b) }, "start" => ->(tasks, key) { tasks.start(key).value },
    "fetch_all" => ->(tasks, key) { tasks.fetch_all(["stored", key]) }, "refresh" => ->(tasks, key) { tasks.fetch(key, read: :refresh) },
    "results" => ->(tasks, key) { tasks.results([key, "stored"], read: :normal) }
  }
  waits.each do |what, wait|
    tasks = Kvlight::Tasks.new { |keys| keys.to_h { |key| [key, wait.call(tasks, key)] } }
    tasks.put("stored", 1)
    error = Timeout.timeout(20) { raised(Kvlight::Error, what) { tasks.fetch("é") } }
    equal [error.status, error.message.include?("loading itself")], [Kvlight::ERR_REENTRANT, true], error.message
    tasks.close
  end
  # A key that is stored while it is reloaded.
  [[{}, { read: :refresh }], [{ read: :refresh }, {}], [{}, { "read" => "refresh" }]].each do |settings, options|
    tasks = Kvlight::Tasks.new(**settings) { |keys| keys.to_h { |key| [key, tasks.fetch_all([key, "b"], **options)] } }
    tasks.put("a", "old")
    tasks.put("b", "old")
    error = Timeout.timeout(60) { raised(Kvlight::Error, options) { tasks.fetch("a", read: :refresh) } }
    equal [error.status, error.message.include?("loading itself")], [Kvlight::ERR_REENTRANT, true], error.message
    tasks.close
  end
  tasks = Kvlight::Tasks.new(tasks_max_running: 1) { |keys| keys.to_h { |key| [key, key == "leaf" ? 1 : tasks.fetch("leaf")] } }
  error = Timeout.timeout(20) { raised(Kvlight::Error, "the only slot") { tasks.fetch("a") } }
  equal [error.status, error.message.include?("tasks.max_running")], [Kvlight::ERR_REENTRANT, true], error.message
  equal [tasks.fetch("leaf"), tasks.fetch("b")], [1, 1], "once the other key is stored"
  tasks.close
end

scenario "f21 a wait of the provider that ends is not refused" do
  outcomes = []
  tasks = Kvlight::Tasks.new(tasks_max_running: 1) do |keys, request|
    next keys.to_h { |key| [key, 1] } unless keys == ["a"]

    outcomes << tasks.fetch("missing", read: :cache_only) << tasks.fetch("stored", timeout_ms: 60_000)
    request.resolve("a", ["answered"])
    outcomes << tasks.fetch("a", timeout_ms: 60_000) << tasks.fetch_all(%w[a stored])
    request.finish
  end
  tasks.put("stored", ["stored"])
  equal Timeout.timeout(20) { tasks.fetch("a") }, ["answered"], "the key"
  eventually("the end of the provider") { outcomes.size == 4 }
  equal outcomes, [nil, ["stored"], ["answered"], [["answered"], ["stored"]]], "what the provider fetched"
  tasks.close
  nested = Kvlight::Tasks.new(tasks_max_running: 2) { |keys| keys.to_h { |key| [key, key == "leaf" ? 1 : nested.fetch("leaf")] } }
  equal Timeout.timeout(20) { nested.fetch("a") }, 1, "with another slot"
  nested.close
  [[{}, {}], [{ read: :refresh }, { read: :normal }]].each do |settings, options|
    refreshing = Kvlight::Tasks.new(**settings) { |keys| keys.to_h { |key| [key, refreshing.fetch_all([key, "b"], **options).first] } }
    refreshing.put("a", "old")
    refreshing.put("b", "old")
    equal Timeout.timeout(20) { refreshing.fetch("a", read: :refresh) }, "old", "a key that is stored while it is reloaded"
    refreshing.close
  end
end

scenario "f21 a provider that has finished its request may wait for any key" do
  { finish: [], finish_error: [IOError.new("failed")] }.each do |name, arguments|
    outcome = Thread::Queue.new
    is_first = true
    tasks = Kvlight::Tasks.new(tasks_max_running: 1) do |keys, request|
      next keys.to_h { |key| [key, "again"] } unless is_first

      is_first = false
      request.public_send(name, *arguments)
      outcome << :finished << tasks.fetch("other", timeout_ms: 60_000) << tasks.fetch("a", read: :refresh, timeout_ms: 60_000)
    end
    fetch = tasks.start("a").wait
    equal [fetch.value, fetch.error], [nil, arguments.first], name
    equal Timeout.timeout(60) { Array.new(3) { outcome.pop } }, [:finished, "again", "again"], "after #{name}"
    tasks.close
  end
end

scenario "s11a a put waits while too many values wait for `dropped:`, except in code that the cache calls" do
  gate = Thread::Queue.new
  began = Thread::Queue.new
  count = 0
  dropped = lambda do |_|
    began << true
    gate.pop
  end
  tasks = Kvlight::Tasks.new(cache_capacity: 16, removals_max_pending: 16, dropped: dropped) do |keys|
    20.times { |i| tasks.put("provider #{i}", [i]) }
    keys.to_h { |key| [key, key] }
  end
  putting = Thread.new { 30_000.times { |i| tasks.put("k#{i}", [i]) && count += 1 } }
  began.pop
  eventually("the wait") { waiting_for_dropped(tasks) > 16 }
  equal [count < 30_000, putting.alive?], [true, true], "puts before the wait: #{count}"
  raised(Timeout::Error, "a put that waits") { Timeout.timeout(0.1) { tasks.put("more", [1]) } }
  equal [tasks.get("more"), Timeout.timeout(20) { tasks.fetch("loaded") }], [nil, "loaded"], "a load"
  gate.close
  Timeout.timeout(60) { putting.join && tasks.close }
  equal count, 30_000, "puts"
end

scenario "s11a values that several threads replace or evict do not pile up" do
  [false, true].each do |one_key|
    tasks = Kvlight::Tasks.new(cache_capacity: 100) { {} }
    mosts = Array.new(16) { 0 }
    writers = Array.new(16) do |writer|
      Thread.new do
        3000.times do |i|
          tasks.put(one_key ? "one" : "#{writer}.#{i}", [i])
          mosts[writer] = [mosts[writer], objects_of(tasks)].max
        end
      end
    end
    Timeout.timeout(120) { writers.each(&:join) }
    # 100 are stored, and as many may wait; the others are those of calls and of the puts until the next look.
    equal mosts.max < 400, true, "#{mosts.max} objects, with 100 entries and #{one_key ? 'one key' : 'many keys'}"
    tasks.close
  end
  tasks = Kvlight::Tasks.new(cache_capacity: 10_000) { {} }
  5000.times { |i| tasks.put("k#{i}", [i]) }
  equal objects_of(tasks), 5000, "a cache that fills, whose entries stay"
  tasks.close
end

scenario "l09 what is no function, no encoding and no exception is refused where it is given" do
  { dropped: 5, on_error: "warn" }.each do |name, value|
    message = raised(TypeError, name) { Kvlight::Tasks.new(name => value) { {} } }.message
    equal message.include?("#{name}:"), true, message
  end
  tier = Class.new(Kvlight::SecondTier).new
  raised(TypeError, "dump") { Kvlight::Tasks.new(second_tier: tier, dump: 5, load: 5) { {} } }
  { nil => TypeError, 5 => TypeError, "nope" => ArgumentError }.each { |value, error| raised(error, value.inspect) { Kvlight::Tasks.new(encoding: value) { {} } } }
  tasks = Kvlight::Tasks.new(encoding: "ISO-8859-1") { |keys| keys.to_h { |key| [key, key] } }
  equal [tasks.fetch("\xE9").encoding, tasks.get("\xE9").encoding], [Encoding::ISO_8859_1] * 2, "the name of an encoding"
  tasks.close
  ["boom", 42, nil, ArgumentError].each do |wrong|
    [->(request) { request.fail("a", wrong) }, ->(request) { request.finish_error(wrong) }].each do |answer|
      tasks = Kvlight::Tasks.new { |_, request| answer.call(request) }
      message = raised(TypeError, wrong.inspect) { Timeout.timeout(20) { tasks.fetch("a") } }.message
      equal message.include?("fails with an exception"), true, message
      tasks.close
    end
  end
end

scenario "f15 a second answer for a key returns false, a second finish does nothing, and the other keys keep their answers" do
  seen = requests = nil
  answer = lambda do |request|
    again = ->(key) { [request.resolve(key, "late"), request.fail(key, IOError.new("late")), request.not_modified(key)] }
    seen << request.resolve("a", ["first"]) << again.call("a")
    seen << request.fail("b", KeyError.new("first")) << again.call("b")
    seen << request.not_modified("c") << again.call("c")
    seen << request.finish << request.finish << request.finish_error(IOError.new("late")) << again.call("d")
  end
  providers = {
    "in the provider" => ->(_, request) { answer.call(request) },
    "then a Hash" => ->(keys, request) { answer.call(request) && keys.to_h { |key| [key, "late"] } },
    "then an exception" => ->(_, request) { answer.call(request) && raise(IOError, "late") }, "on another thread" => ->(_, request) { requests << request }
  }
  providers.each do |what, provider|
    seen, requests = Array.new(2) { Thread::Queue.new }
    tasks = Kvlight::Tasks.new(&provider)
    tasks.put("c", "kept", version: "1")
    fetch = tasks.start_all(%w[a b c d], read: :refresh)
    answer.call(requests.pop) if what == "on another thread"
    results = Timeout.timeout(60) { fetch.wait }
    equal results.map { |result| result.error ? result.error.class : result.value }, [["first"], KeyError, "kept", nil], what
    late = [false] * 3
    equal Array.new(seen.size) { seen.pop }, [true, late, true, late, true, late, nil, nil, nil, late], what
    tasks.close
  end
  released = nil
  tasks = Kvlight::Tasks.new { |keys, request| (released = request) && keys.to_h { |key| [key, key] } }
  equal tasks.fetch("a"), "a", "a Hash"
  eventually("the end of the request") { released.instance_variable_get(:@handle).nil? }
  equal [released.resolve("a", 1), released.fail("a", IOError.new), released.not_modified("a"), released.finish, released.finish_error(IOError.new)],
        [false, false, false, nil, nil], "after its end"
  %i[attempt stale].each { |name| equal raised(Kvlight::Error, name) { released.public_send(name, "a") }.status, Kvlight::ERR_ALREADY_ANSWERED, name }
  tasks.close
end

scenario "f15 a provider receives all keys, whatever the form of its parameters" do
  rows = ->(keys) { keys.to_h { |key| [key, "value of #{key}"] } }
  providers = [
    proc { |keys,| rows.call(keys) }, proc { |keys, **_| rows.call(keys) }, proc { |keys| rows.call(keys) }, proc { rows.call(_1) },
    proc { |*all| rows.call(all[0]) }, proc { |keys, _ = nil, **_| rows.call(keys) }, ->(keys) { rows.call(keys) }, ->(keys, **_) { rows.call(keys) }, ->(keys, _) { rows.call(keys) }
  ]
  providers.each_with_index do |provider, i|
    tasks = Kvlight::Tasks.new(&provider)
    equal Timeout.timeout(20) { tasks.fetch_all(%w[ab cd]) }, ["value of ab", "value of cd"], "provider #{i}"
    tasks.close
  end
end

exit run_scenarios
