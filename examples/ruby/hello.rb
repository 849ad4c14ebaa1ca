# frozen_string_literal: true

require "kvlight"

users = Kvlight::Tasks.new(cache_capacity: 10_000, cache_ttl_ms: 60_000) do |ids|
  puts "asked for #{ids.join(', ')}"
  (ids - ["404"]).to_h { |id| [id, { id: id, name: "user #{id}" }] } # 404 is left out, and remembered as absent
end

puts users.fetch("7")[:name]
users.fetch_all(%w[7 404 7]).each { |user| puts user ? user[:name] : "nobody" }
users.start("9") { |result| puts "later: #{result.value[:name]}" }.wait
users.close
