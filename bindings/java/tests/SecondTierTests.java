import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import kvlight.Config;
import kvlight.Keys;
import kvlight.Request;
import kvlight.Result;
import kvlight.SecondTier;
import kvlight.Source;
import kvlight.Status;
import kvlight.Tasks;

/** The second tier: a store that several caches share (rules T01 to T15). */
final class SecondTierTests {
    private SecondTierTests() {}

    /** A store in memory that grants leases and compares tokens. */
    private static class MemoryTier implements SecondTier {
        private record Row(byte[] token, Entry entry) {}

        final List<String> calls = Scenarios.list();
        private final Map<byte[], Row> rows = new TreeMap<>(Arrays::compare);
        private long tokens;
        volatile boolean isDown;

        /** Notes a call; throws if the tier is down. */
        private void enter(String what) {
            calls.add(what);
            if (isDown) {
                throw new IllegalStateException("down");
            }
        }

        private byte[] newToken() {
            return Long.toString(++tokens).getBytes();
        }

        /** Stores an entry under a new token; returns true. */
        private boolean keep(Entry entry) {
            rows.put(entry.key(), new Row(newToken(), entry));
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
            enter("read");
            List<Found> found = new ArrayList<>();
            for (Wanted wanted : keys) {
                Row row = rows.get(wanted.key());
                if (row == null) {
                    row = new Row(newToken(), null);
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
            enter("fill");
            return entries.stream().map(entry -> {
                Row row = rows.get(entry.key());
                return row != null && Arrays.equals(row.token, entry.token()) && keep(entry);
            }).toList();
        }

        @Override
        public synchronized void write(List<Entry> entries) {
            enter("write");
            entries.forEach(this::keep);
        }

        @Override
        public synchronized void remove(List<byte[]> keys) {
            enter("remove");
            keys.forEach(rows::remove);
        }

        @Override
        public synchronized void clear() {
            enter("clear");
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
                loads.fetch("filled"); // a fill of the old value would come before this key's, or together with it
                Request<String, StringBuilder> later = Tap.taken(requests);
                later.resolve("filled", new StringBuilder("row"));
                later.finish();
                Tap.busyUntil(() -> tier.has("filled"));
                Tap.equal(Collections.frequency(tier.calls, "fill"), 1, "the old one is not stored");
            }
        });
        tap.test("t06 failures of the second tier are misses, and are reported", () -> {
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
        tap.test("t06 a handler of failures may wait for a fetch", () -> {
            AtomicReference<Tasks<String, StringBuilder>> self = new AtomicReference<>();
            AtomicInteger jobs = new AtomicInteger();
            CompletableFuture<String> waited = new CompletableFuture<>();
            Config<String, StringBuilder> config = config(new MemoryTier()).failureHandler(error -> {
                try {
                    waited.complete(self.get().fetch("b").get(20, TimeUnit.SECONDS).toString());
                } catch (Exception e) {
                    waited.completeExceptionally(e);
                }
            }).executor(job -> {
                if (jobs.getAndIncrement() == 0) {
                    throw new RejectedExecutionException("busy");
                }
                new Thread(job).start();
            });
            try (Tasks<String, StringBuilder> tasks = rows(config)) {
                self.set(tasks);
                CompletableFuture<StringBuilder> fetched = tasks.fetch("a");
                Tap.equal(waited.get(60, TimeUnit.SECONDS), "row b", "the handler's");
                Tap.equal(fetched.get(60, TimeUnit.SECONDS).toString(), "row a", "the provider's");
            }
        });
        tap.test("t07 a removal that fails is repeated with all its keys, even if the tier has emptied the list", () -> {
            BlockingQueue<Integer> reached = new LinkedBlockingQueue<>();
            BlockingQueue<Boolean> fails = new LinkedBlockingQueue<>();
            MemoryTier tier = new MemoryTier() {
                @Override
                public void remove(List<byte[]> keys) {
                    reached.add(keys.size());
                    if (Tap.taken(fails)) {
                        keys.clear();
                        throw new IllegalStateException("down");
                    }
                    super.remove(keys);
                }
            };
            try (Tasks<String, StringBuilder> tasks = rows(config(tier).l2BreakMs(1).failureHandler(error -> { }))) {
                List<String> keys = List.of("a", "b", "c", "d");
                keys.forEach(key -> tasks.put(key, new StringBuilder("put")));
                Tap.busyUntil(() -> keys.stream().allMatch(tier::has));
                tasks.remove("a");
                Tap.taken(reached);
                keys.forEach(tasks::remove); // the next request has them all: it waits for the first
                fails.addAll(List.of(false, true));
                fails.addAll(Collections.nCopies(20, false));
                Tap.busyUntil(() -> keys.stream().noneMatch(tier::has));
            }
        });
        tap.test("t01 a hit that comes after the close is no failure of the second tier", () -> {
            List<Throwable> reported = Scenarios.list();
            BlockingQueue<Boolean> mayDecode = new LinkedBlockingQueue<>();
            BlockingQueue<Boolean> reached = new LinkedBlockingQueue<>();
            CountDownLatch answered = new CountDownLatch(1);
            MemoryTier tier = new MemoryTier();
            try (Tasks<String, StringBuilder> writes = rows(config(tier))) {
                writes.put("k", new StringBuilder("put"));
                Tap.busyUntil(() -> tier.has("k"));
            }
            Config<String, StringBuilder> config = config(tier).failureHandler(reported::add).executor(job -> new Thread(() -> {
                job.run();
                answered.countDown();
            }).start()).secondTier(tier, value -> new byte[0], bytes -> {
                reached.add(true);
                return Tap.taken(mayDecode) ? new StringBuilder(new String(bytes)) : null;
            });
            Tasks<String, StringBuilder> tasks = rows(config);
            CompletableFuture<StringBuilder> fetched = tasks.fetch("k");
            Tap.taken(reached);
            tasks.close();
            mayDecode.add(true);
            answered.await();
            Tap.equal(Scenarios.statusOf(fetched.handle((value, error) -> error).join()), Status.ERR_CLOSED, "the fetch");
            Tap.equal(reported, List.of(), "what is reported");
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
