import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import kvlight.Config;
import kvlight.Keys;
import kvlight.Request;
import kvlight.Result;
import kvlight.SecondTier;
import kvlight.Source;
import kvlight.Tasks;

/** The second tier: a store that several caches share (rules T01 to T15). */
final class SecondTierTests {
    private SecondTierTests() {}

    /** A store in memory that grants leases and compares. */
    private static final class MemoryTier implements SecondTier {
        private record Row(byte[] token, Entry entry) {}

        final List<String> calls = Collections.synchronizedList(new ArrayList<>());
        private final Map<byte[], Row> rows = new TreeMap<>(Arrays::compare);
        private long tokens;
        volatile boolean isDown;

        private void called(String what) {
            calls.add(what);
            if (isDown) {
                throw new IllegalStateException("down");
            }
        }

        private byte[] token() {
            return Long.toString(++tokens).getBytes();
        }

        private boolean keep(Entry entry) {
            rows.put(entry.key(), new Row(token(), entry));
            return true;
        }

        synchronized boolean has(String key) {
            Row row = rows.get(key.getBytes());
            return row != null && row.entry != null;
        }

        @Override
        public boolean isConditional() {
            return true;
        }

        @Override
        public boolean grantsLeases() {
            return true;
        }

        @Override
        public synchronized List<Found> read(List<Wanted> keys) {
            called("read");
            List<Found> found = new ArrayList<>();
            for (Wanted wanted : keys) {
                Row row = rows.get(wanted.key());
                if (row == null) {
                    row = new Row(token(), null);
                    rows.put(wanted.key(), row);
                    found.add(new Vacant(row.token));
                } else {
                    found.add(row.entry == null ? new Leased() : new Hit(row.entry.data(), row.entry.ttlMs(), row.token));
                }
            }
            return found;
        }

        @Override
        public synchronized List<Boolean> fill(List<Entry> entries) {
            called("fill");
            return entries.stream().map(entry -> {
                Row row = rows.get(entry.key());
                return row != null && Arrays.equals(row.token, entry.token()) && keep(entry);
            }).toList();
        }

        @Override
        public synchronized void write(List<Entry> entries) {
            called("write");
            entries.forEach(this::keep);
        }

        @Override
        public synchronized void remove(List<byte[]> keys) {
            called("remove");
            keys.forEach(rows::remove);
        }

        @Override
        public synchronized void clear() {
            called("clear");
            rows.clear();
        }
    }

    private static Config<String, StringBuilder> config(SecondTier tier) {
        return new Config<String, StringBuilder>(Keys.STRINGS).l2TimeoutMs(60_000).l2WaitMs(60_000).cacheTtlMs(60_000)
                .secondTier(tier, value -> value.toString().getBytes(), bytes -> new StringBuilder(new String(bytes)));
    }

    private static Tasks<String, StringBuilder> rows(Config<String, StringBuilder> config) {
        return config.load(keys -> {
            Map<String, StringBuilder> rows = new HashMap<>();
            keys.stream().filter(key -> !key.startsWith("no")).forEach(key -> rows.put(key, new StringBuilder("row " + key)));
            return rows;
        });
    }

    private static List<String> texts(List<Result<String, StringBuilder>> results) {
        return results.stream().map(result -> result.source() + " " + result.value()).toList();
    }

    public static void main(String[] arguments) {
        Tap tap = new Tap();
        tap.test("t02 two caches share what one loaded", () -> {
            MemoryTier tier = new MemoryTier();
            try (Tasks<String, StringBuilder> one = rows(config(tier)); Tasks<String, StringBuilder> other = rows(config(tier))) {
                Tap.equal(texts(one.results(List.of("a", "b", "none")).join()), List.of("PROVIDER row a", "PROVIDER row b", "PROVIDER null"), "loaded");
                Tap.busyUntil(() -> tier.has("a") && tier.has("b") && tier.has("none"));
                List<Result<String, StringBuilder>> found = other.results(List.of("a", "b", "none")).join();
                Tap.equal(texts(found), List.of("L2 row a", "L2 row b", "L2 null"), "found");
                Tap.check(found.get(0).ttlLeftMs() > 0 && found.get(0).ttlLeftMs() <= 60_000, "its TTL");
                one.put("c", new StringBuilder("put"));
                one.remove("a");
                Tap.busyUntil(() -> tier.has("c") && !tier.has("a"));
                Tap.equal(other.fetch("c").join().toString(), "put", "a put");
                one.clear();
                Tap.busyUntil(() -> tier.calls.contains("clear"));
                Tap.equal(other.stats().l2Hits(), 4L, "hits");
            }
        });
        tap.test("t03 a write beats an older load", () -> {
            MemoryTier tier = new MemoryTier();
            BlockingQueue<Request<String, StringBuilder>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, StringBuilder> loads = config(tier).provide(requests::add); Tasks<String, StringBuilder> writes = rows(config(tier))) {
                CompletableFuture<StringBuilder> fetched = loads.fetch("k");
                Request<String, StringBuilder> request = Tap.taken(requests);
                writes.put("k", new StringBuilder("new"));
                Tap.busyUntil(() -> tier.has("k"));
                loads.invalidate(List.of("k"));
                request.resolve("k", new StringBuilder("old"));
                request.finish();
                Tap.equal(fetched.join().toString(), "old", "it was asked for before");
                Tap.equal(loads.fetch("k").join().toString(), "new", "the next");
                Tap.check(!tier.calls.contains("fill"), "the old one is not stored");
            }
        });
        tap.test("t06 its failures are misses, and are reported", () -> {
            MemoryTier tier = new MemoryTier();
            tier.isDown = true;
            List<Throwable> reported = Scenarios.list();
            try (Tasks<String, StringBuilder> tasks = rows(config(tier).failureHandler(reported::add))) {
                Tap.equal(tasks.fetch("a").join().toString(), "row a", "the provider's");
                Tap.busyUntil(() -> reported.stream().anyMatch(error -> error.getMessage().equals("down")));
            }
            MemoryTier other = new MemoryTier();
            Config<String, StringBuilder> bad = config(other).failureHandler(reported::add).secondTier(other, value -> {
                throw new IllegalStateException("encode");
            }, bytes -> null);
            try (Tasks<String, StringBuilder> writes = rows(config(other)); Tasks<String, StringBuilder> tasks = rows(bad)) {
                writes.put("b", new StringBuilder("theirs"));
                Tap.busyUntil(() -> other.has("b"));
                Tap.equal(tasks.fetch("b").join().toString(), "row b", "an entry that no value can be made of");
                tasks.put("c", new StringBuilder("stays here"));
                Tap.busyUntil(() -> reported.stream().anyMatch(error -> error.getMessage().equals("encode")));
                Tap.equal(tasks.get("c").toString(), "stays here", "a value of which no bytes can be made");
            }
        });
        tap.test("t10 one of two caches loads a key, and the other waits for it", () -> {
            MemoryTier tier = new MemoryTier();
            BlockingQueue<Request<String, StringBuilder>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, StringBuilder> one = config(tier).provide(requests::add); Tasks<String, StringBuilder> other = config(tier).provide(requests::add)) {
                CompletableFuture<StringBuilder> first = one.fetch("k");
                Request<String, StringBuilder> request = Tap.taken(requests);
                CompletableFuture<StringBuilder> second = other.fetch("k");
                Tap.busyUntil(() -> tier.calls.size() >= 3);
                request.resolve("k", new StringBuilder("loaded once"));
                request.finish();
                Tap.equal(first.join() + ", " + second.join(), "loaded once, loaded once", "both");
                Tap.check(requests.isEmpty() && other.stats().l2Hits() == 1, "the provider is asked once");
                Tap.equal(other.results(List.of("k")).join().get(0).source(), Source.STORE, "from now on");
            }
        });
        tap.run(arguments, null);
    }
}
