# frozen_string_literal: true

# The second tier: a store that several caches share (rules T01 to T15). Prints TAP; run.sh sets the path of the library.

require "kvlight"
require_relative "tap"
include Tap # rubocop:disable Style/MixinUsage

# A store in memory that grants leases and compares tokens.
class MemoryTier < Kvlight::SecondTier
  Row = Struct.new(:token, :entry)

  attr_reader :calls

  def initialize
    super
    @lock = Mutex.new
    @rows = {}
    @tokens = 0
    @calls = []
  end

  def conditional? = true
  def leases? = true

  def read(keys)
    locked(:read) { keys.to_h { |key| [key, look_up(key)] } }
  end

  def fill(entries)
    locked(:fill) { entries.map { |entry| @rows[entry.key]&.token == entry.token && keep(entry) } }
  end

  def write(entries)
    locked(:write) { entries.each { |entry| keep(entry) } }
  end

  def remove(keys)
    locked(:remove) { keys.each { |key| @rows.delete(key) } }
  end

  def clear
    locked(:clear) { @rows.clear }
  end

  def has?(key)
    locked { !@rows[key]&.entry.nil? }
  end

  private

  def locked(call = nil)
    @lock.synchronize do
      @calls << call if call
      yield
    end
  end

  def look_up(key)
    row = @rows[key]
    return Vacant.new(token: (@rows[key] = Row.new(next_token)).token) unless row

    row.entry ? Hit.new(data: row.entry.data, ttl_left_ms: row.entry.ttl_ms, token: row.token) : LEASED
  end

  def keep(entry)
    @rows[entry.key] = Row.new(next_token, entry)
    true
  end

  def next_token
    (@tokens += 1).to_s
  end
end

# On a busy machine a lookup may take a long time.
PATIENT = { l2_timeout_ms: 60_000, l2_wait_ms: 60_000 }.freeze

# Waits until the block returns true, at most 30 seconds.
def eventually
  6000.times do
    return if yield
    sleep 0.005
  end
  raise Tap::Failed, "the condition never became true"
end

scenario "t02 two caches share what one loaded" do
  tier = MemoryTier.new
  one, other = Array.new(2) { Kvlight::Tasks.new(second_tier: tier, cache_ttl_ms: 60_000, **PATIENT) { |keys| keys.to_h { [_1, "row #{_1}"] } } }
  equal one.fetch_all(%w[a b]), ["row a", "row b"], "loaded"
  eventually { tier.has?("a") && tier.has?("b") }
  found = other.results(%w[a b])
  equal found.map { [_1.value, _1.source] }, [["row a", Kvlight::SOURCE_L2], ["row b", Kvlight::SOURCE_L2]], "found"
  equal found[0].ttl_left_ms.between?(1, 60_000), true, "its TTL"
  one.put("c", "put")
  one.remove("a")
  eventually { tier.has?("c") && !tier.has?("a") }
  equal other.fetch("c"), "put", "a put"
  one.clear
  eventually { tier.calls.include?(:clear) }
  equal other.stats[:l2][:hits], 3, "hits"
  [one, other].each(&:close)
end

scenario "t02 values of any kind are shared if they can be dumped to Strings" do
  tier = MemoryTier.new
  values = { "s" => "text", "n" => nil, "o" => [1, { two: 3.0 }] }
  functions = { dump: Marshal.method(:dump), load: Marshal.method(:load) }
  one = Kvlight::Tasks.new(second_tier: tier, **functions, **PATIENT) { |_| values }
  other = Kvlight::Tasks.new(second_tier: tier, **functions, **PATIENT) { |_| {} }
  plain = Kvlight::Tasks.new(second_tier: tier, **PATIENT) { |_| { "o" => [:mine] } }
  equal one.fetch_all(values.keys), values.values, "loaded"
  eventually { values.each_key.all? { |key| tier.has?(key) } }
  equal other.results(values.keys).map { [_1.value, _1.source] }, values.values.map { [_1, Kvlight::SOURCE_L2] }, "found"
  equal plain.fetch_all(%w[s o]), ["text", [:mine]], "without the functions"
  plain.put("s", [:stays])
  eventually { !tier.has?("s") }
  equal plain.get("s"), [:stays], "a value that cannot be shared replaces its key's entry"
  [one, other, plain].each(&:close)
end

scenario "t03 a write beats an older load" do
  tier = MemoryTier.new
  reached = Thread::Queue.new
  resume = Thread::Queue.new
  loads = Kvlight::Tasks.new(second_tier: tier, **PATIENT) do |keys|
    reached << true
    resume.pop
    keys.to_h { [_1, "old"] }
  end
  writes = Kvlight::Tasks.new(second_tier: tier, **PATIENT) { |_| {} }
  fetch = loads.start("k")
  reached.pop
  writes.put("k", "new")
  eventually { tier.has?("k") }
  loads.invalidate(["k"])
  resume << true
  equal fetch.value, "old", "the fetch that began before the write"
  equal [loads.fetch("k"), tier.calls.include?(:fill)], ["new", false], "the next"
  [loads, writes].each(&:close)
end

scenario "t10 one of two caches loads a key, and the other waits for it" do
  tier = MemoryTier.new
  resume = Thread::Queue.new
  both = Array.new(2) do
    Kvlight::Tasks.new(second_tier: tier, **PATIENT) { |keys| resume.pop && keys.to_h { [_1, "loaded once"] } }
  end
  fetches = both.map { _1.start("k") }
  eventually { both.sum { |tasks| tasks.stats[:l2][:waited] } == 1 }
  resume << true
  equal fetches.map(&:value), ["loaded once"] * 2, "values"
  both.each(&:close)
end

scenario "t01 no caller sees what a second tier does wrong" do
  answers = [IOError.new("down"), nil, 7, "text", [], { "k" => 7 }, { "k" => "no entry" }, { "k" => Kvlight::SecondTier::Hit.new(data: nil) },
             { "k" => Kvlight::SecondTier::Hit.new(data: "x" * 100, ttl_left_ms: -7) }, { "k" => IOError.new("this key") }, :exits]
  answers.each do |answer|
    tier = Class.new(MemoryTier) do
      define_method(:read) { |_| answer == :exits ? exit : answer.is_a?(Exception) ? raise(answer) : answer }
      define_method(:fill) { |_| answer }
    end.new
    reported = []
    tasks = Kvlight::Tasks.new(second_tier: tier, on_error: ->(error) { reported << error }, **PATIENT) { |keys| keys.to_h { [_1, "loaded"] } }
    equal tasks.fetch("k"), "loaded", answer.inspect
    tasks.close
    equal reported.first, answer, "what is reported" if answer.is_a?(Exception)
  end
end

scenario "t07 what could not be written is written again" do
  is_down = true
  tier = Class.new(MemoryTier) { define_method(:write) { |entries| is_down ? raise(IOError, "down") : super(entries) } }.new
  reported = Thread::Queue.new
  tasks = Kvlight::Tasks.new(second_tier: tier, l2_break_ms: 1, on_error: ->(error) { reported << error }, **PATIENT) { |_| {} }
  tasks.put("k", "v")
  reported.pop
  is_down = false
  eventually { tier.has?("k") }
  tasks.close
end

scenario "t07 a removal that fails is repeated, even if the tier emptied the list of keys" do
  reached = Thread::Queue.new
  resume = Thread::Queue.new
  encodings = []
  tier = Class.new(MemoryTier) do
    define_method(:remove) do |keys|
      reached << true
      encodings.concat(keys.map(&:encoding))
      next super(keys) unless resume.pop

      keys.clear
      raise IOError, "down"
    end
  end.new
  tasks = Kvlight::Tasks.new(second_tier: tier, l2_break_ms: 1, on_error: ->(_) {}, **PATIENT) { |_| {} }
  keys = %w[a b c d]
  keys.each { tasks.put(_1, "put") }
  eventually { keys.all? { tier.has?(_1) } }
  tasks.remove("a")
  reached.pop
  keys.each { tasks.remove(_1) } # sent together, when the first removal is done
  [false, true, *[false] * 20].each { resume << _1 }
  eventually { keys.none? { tier.has?(_1) } }
  equal encodings.uniq, [Encoding::UTF_8], "the encoding of keys"
  tasks.close
end

scenario "t01 a hit that comes after the close is no failure of the second tier" do
  tier = MemoryTier.new
  reached = Thread::Queue.new
  resume = Thread::Queue.new
  reported = []
  load = lambda do |bytes|
    reached << true
    resume.pop
    Marshal.load(bytes)
  end
  one = Kvlight::Tasks.new(second_tier: tier, dump: Marshal.method(:dump), load: load, **PATIENT) { |_| {} }
  one.put("k", [1])
  eventually { tier.has?("k") }
  one.close
  tasks = Kvlight::Tasks.new(second_tier: tier, dump: Marshal.method(:dump), load: load, on_error: ->(e) { reported << e }, **PATIENT) { |_| {} }
  fetch = tasks.start("k")
  reached.pop
  closer = Thread.new { tasks.close }
  raised(Kvlight::Error, "the fetch") { fetch.value }
  eventually { tasks.closed? }
  resume << true
  closer.join
  eventually { Thread.list.none? { |thread| thread.name == "kvlight second tier" } }
  equal reported, [], "what is reported"
end

scenario "t01 a slow second tier delays a fetch by l2_timeout_ms at most" do
  resume = Thread::Queue.new
  tier = Class.new(MemoryTier) { define_method(:read) { |keys| resume.pop && super(keys) } }.new
  tasks = Kvlight::Tasks.new(second_tier: tier, l2_timeout_ms: 1) { |keys| keys.to_h { [_1, "loaded"] } }
  equal [tasks.fetch("k"), tasks.stats[:l2][:timeouts]], ["loaded", 1], "its time is over"
  resume << true
  tasks.close
end

scenario "l09 what cannot be a second tier is refused" do
  equal raised(ArgumentError, "no tier") { Kvlight::Tasks.new(second_tier: 7) { |_| {} } }.message.include?("a method read"), true, "methods"
  raised(ArgumentError, "alone") { Kvlight::Tasks.new(second_tier: MemoryTier.new, dump: Marshal.method(:dump)) { |_| {} } }
  raised(ArgumentError, "without a tier") { Kvlight::Tasks.new(dump: Marshal.method(:dump), load: Marshal.method(:load)) { |_| {} } }
end

exit run_scenarios
