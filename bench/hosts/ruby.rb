# frozen_string_literal: true

# Compares kvlight for Ruby with Concurrent::Map, lru_redux and batch-loader: prints lines of work, library and CPU nanoseconds for each key.

require "batch-loader"
require "concurrent"
require "kvlight"
require "lru_redux"

KEYS = Integer(ENV.fetch("KVL_BENCH_KEYS", "100_000"))
ROUNDS = 5
ABSENT = 1_000
NAMES = Array.new(KEYS) { |i| "key #{i}" }.freeze
ORDER = NAMES.shuffle(random: Random.new(1)).freeze

tasks = Kvlight::Tasks.new(cache_capacity: 2 * KEYS, batch_max_keys: 64) { |keys| keys.to_h { |key| [key, [key]] } }
map = Concurrent::Map.new
lru = LruRedux::ThreadSafeCache.new(2 * KEYS)
HOT = ORDER.take(1000).freeze # few enough for the processor's caches
hot = ->(&get) { (KEYS / HOT.size).times { HOT.each(&get) } }
NAMES.each do |name|
  tasks.put(name, [name])
  map[name] = lru[name] = [name]
end

figures = Hash.new { |all, name| all[name] = [] }
measured = lambda do |work, library, keys, &call|
  begun = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
  call.call
  figures["#{work}\t#{library}"] << (Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - begun) * 1e9 / keys
end

ROUNDS.times do |turn|
  measured.call("resident get", "kvlight", KEYS) { ORDER.each { |name| tasks.get(name) } }
  measured.call("resident get", "Concurrent::Map", KEYS) { ORDER.each { |name| map[name] } }
  measured.call("resident get", "lru_redux", KEYS) { ORDER.each { |name| lru[name] } }
  measured.call("get, of 1,000 keys", "kvlight", KEYS) { hot.call { |name| tasks.get(name) } }
  measured.call("get, of 1,000 keys", "Concurrent::Map", KEYS) { hot.call { |name| map[name] } }
  measured.call("get, of 1,000 keys", "lru_redux", KEYS) { hot.call { |name| lru[name] } }
  measured.call("resident fetch", "kvlight", KEYS) { ORDER.each { |name| tasks.fetch(name) } }
  measured.call("resident fetch", "Concurrent::Map", KEYS) { ORDER.each { |name| map.compute_if_absent(name) { [name] } } }
  measured.call("resident fetch", "lru_redux", KEYS) { ORDER.each { |name| lru.getset(name) { [name] } } }
  batches = Array.new(20) { |batch| Array.new(ABSENT) { |i| "absent #{turn} #{batch} #{i}" } }
  measured.call("1,000 absent keys, 64 a request", "kvlight", 20 * ABSENT) { batches.each { |keys| tasks.fetch_all(keys) } }
  measured.call("1,000 absent keys, 64 a request", "batch-loader", 20 * ABSENT) do
    batches.each do |keys|
      rows = keys.map do |key|
        BatchLoader.for(key).batch(replace_methods: false) do |wanted, loader|
          wanted.each_slice(64) { |some| some.each { |one| loader.call(one, [one]) } }
        end
      end
      rows.each(&:size)
      BatchLoader::Executor.clear_current
    end
  end
end
figures.each { |name, costs| puts "#{name}\t#{costs.sort[ROUNDS / 2].round}" }
tasks.close
