# frozen_string_literal: true

# Threads that are interrupted at any step, arguments that are none, copies, waits that could never end: none of these crashes the process, mixes up keys,
# or is taken for something else. Prints TAP; run.sh sets the path of the library.

require "kvlight"
require_relative "tap"
require "timeout"
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

exit run_scenarios
