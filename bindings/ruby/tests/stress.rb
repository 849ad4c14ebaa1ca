# frozen_string_literal: true

# 100,000 fetches while this thread is busy: single fetches, batches, objects, errors, cancels, late answers. Each fetch must
# settle exactly once. `ruby stress.rb SEED`; `run.sh stress` runs it with many seeds.

require "kvlight"

FETCHES = 100_000
srand(Integer(ARGV.fetch(0, 1)))

created = Thread::Queue.new
later = Thread::Queue.new
delivered = errors = dropped = 0

answer = lambda do |request|
  request.keys.each do |key|
    case rand(10)
    when 0 then request.fail(key, RuntimeError.new(key))
    when 1..2 then request.resolve(key, { key: key }.tap { created << key })
    when 3..7 then request.resolve(key, "value of #{key}")
    end
  end
  request.finish
end

settings = { "cache.capacity" => 2000, "retry.count" => 1, "tasks.max_running" => 16, "batch.max_keys" => 100 }
tasks = Kvlight::Tasks.new(**settings, dropped: ->(_) { dropped += 1 }) do |_, request|
  rand(4).zero? ? later << request : answer.call(request)
  request
end

on_result = lambda do |result|
  delivered += 1
  errors += 1 if result.error
end

started = sum = 0
while delivered < FETCHES
  if started < FETCHES && rand(4).zero?
    keys = Array.new([50, FETCHES - started].min) { "key #{rand(5000)}" }
    started += keys.size
    tasks.start_all(keys) { |results| results.each(&on_result) }
  elsif started < FETCHES && started - delivered < 5000
    started += 1
    fetch = tasks.start("key #{rand(5000)}", &on_result)
    fetch.cancel if rand(50).zero?
  end
  200.times { |i| sum = (sum + (i * delivered)) % 1_000_003 }
  Thread.pass
  answer.call(later.pop) until later.empty?
end
tasks.close
raise "each is delivered once: #{started} started, #{delivered} delivered" unless started == delivered
raise "each object is dropped once: #{created.size} created, #{dropped} dropped" unless dropped == created.size

puts "# #{delivered} fetches, #{errors} errors, #{dropped} objects dropped"
