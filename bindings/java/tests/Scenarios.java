import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import kvlight.Config;
import kvlight.FetchOptions;
import kvlight.Keys;
import kvlight.KvlightException;
import kvlight.ManualClock;
import kvlight.Request;
import kvlight.Result;
import kvlight.Status;
import kvlight.Tasks;
import kvlight.Terms;

/** The scenarios that every language has, and tests specific to Java. Prints TAP; run.sh sets where the library is. */
final class Scenarios {
    private Scenarios() {}

    static Config<String, String> config() {
        return new Config<>(Keys.STRINGS);
    }

    /** A Tasks whose provider answers "user KEY" for keys that do not begin with "no". Adds the keys that it was asked for to `loaded`. */
    static Tasks<String, String> users(Config<String, String> config, List<String> loaded) {
        return config.load(keys -> {
            loaded.addAll(keys);
            Map<String, String> rows = new HashMap<>();
            keys.stream().filter(key -> !key.startsWith("no")).forEach(key -> rows.put(key, "user " + key));
            return rows;
        });
    }

    /** A list to which threads may add while a test reads it. */
    static <T> List<T> list() {
        return new CopyOnWriteArrayList<>();
    }

    /** A Tasks whose provider leaves its requests to the test, which takes them from the queue. */
    static Tasks<String, String> held(Config<String, String> config, BlockingQueue<Request<String, String>> requests) {
        return config.provide(requests::add);
    }

    /** The result of a key, as a callback receives it while this thread is busy. */
    static <V> Result<String, V> delivered(Tasks<String, V> tasks, String key, FetchOptions options) {
        AtomicReference<Result<String, V>> result = new AtomicReference<>();
        tasks.fetchEach(List.of(key), options, result::set);
        Tap.busyUntil(() -> result.get() != null);
        return result.get();
    }

    static Status statusOf(Throwable error) {
        Throwable plain = error instanceof CompletionException ? error.getCause() : error;
        return plain instanceof KvlightException ours ? ours.status() : null;
    }

    public static void main(String[] arguments) {
        Tap tap = new Tap();
        shared(tap);
        specific(tap);
        tap.run(arguments, "Java | " + System.getProperty("java.version") + " | queue");
    }

    private static void shared(Tap tap) {
        tap.test("hit", () -> {
            List<String> loaded = list();
            try (Tasks<String, String> tasks = users(config(), loaded)) {
                Tap.equal(delivered(tasks, "7", null).value(), "user 7", "loaded");
                CompletableFuture<String> hit = tasks.fetch("7");
                Tap.check(hit.isDone(), "a hit is there at once");
                Tap.equal(hit.join(), "user 7", "from the store");
                Tap.equal(loaded.size(), 1, "keys loaded");
                Tap.equal(tasks.stats().hits(), 1L, "hits");
                Tap.check(tasks.put("8", "put"), "put");
                Tap.equal(tasks.fetch("8").join(), "put", "what was put");
            }
        });
        tap.test("null hit", () -> {
            List<String> loaded = list();
            try (Tasks<String, String> tasks = users(config(), loaded)) {
                Tap.equal(delivered(tasks, "nobody", null).status(), Status.NULL, "loaded");
                Tap.equal(tasks.fetch("nobody").join(), null, "from the store");
                Tap.equal(loaded.size(), 1, "keys loaded");
                Tap.equal(tasks.stats().nullHits(), 1L, "null hits");
            }
        });
        tap.test("miss", () -> {
            List<String> loaded = list();
            try (Tasks<String, String> tasks = users(config(), loaded)) {
                Tap.equal(tasks.get("7"), null, "a lookup");
                FetchOptions storeOnly = new FetchOptions().read(FetchOptions.Read.CACHE_ONLY);
                Tap.equal(delivered(tasks, "7", storeOnly).status(), Status.MISS, "a fetch of the store only");
                Tap.equal(loaded.size(), 0, "keys loaded");
                Tap.equal(tasks.fetch("7").join(), "user 7", "a fetch");
                Tap.equal(loaded.size(), 1, "keys loaded");
            }
        });
        tap.test("batch with duplicates", () -> {
            List<String> loaded = list();
            try (Tasks<String, String> tasks = users(config(), loaded)) {
                List<String> keys = List.of("1", "2", "1", "nobody", "2");
                List<Result<String, String>> results = tasks.results(keys).join();
                Tap.equal(results.stream().map(Result::key).toList(), keys, "keys");
                List<String> wanted = Arrays.asList("user 1", "user 2", "user 1", null, "user 2");
                Tap.equal(tasks.fetchAll(keys).join(), wanted, "values");
                Tap.equal(results.stream().map(result -> result.value() + "").toList(), wanted.stream().map(value -> value + "").toList(), "values");
                Tap.equal(loaded.size(), 3, "keys loaded");
                Tap.equal(tasks.fetchAll(List.of()).join(), List.of(), "a batch of none");
            }
        });
        tap.test("one failing key in a batch", () -> {
            IllegalStateException broken = new IllegalStateException("b is broken");
            try (Tasks<String, String> tasks = config().provide(request -> {
                for (String key : request.keys()) {
                    if (key.equals("b")) {
                        request.fail(key, broken);
                    } else {
                        request.resolve(key, key.toUpperCase());
                    }
                }
                request.finish();
            })) {
                List<Result<String, String>> results = tasks.results(List.of("a", "b", "c", "b")).join();
                Tap.equal(results.get(0).value() + results.get(2).value(), "AC", "those that do not fail");
                Tap.equal(results.get(1).status(), Status.ERR_PROVIDER, "the one that fails");
                Tap.check(results.get(1).error() == broken && results.get(3).error() == broken, "the very exception");
                CompletionException all = Tap.thrown(CompletionException.class, "fetchAll", () -> tasks.fetchAll(List.of("a", "b")).join());
                Tap.check(all.getCause() == broken, "what fetchAll fails with");
            }
        });
        tap.test("retry then success", () -> {
            AtomicInteger attempts = new AtomicInteger();
            try (Tasks<String, String> tasks = config().retryCount(5).load(keys -> {
                if (attempts.incrementAndGet() < 3) {
                    throw new java.io.IOException("not yet");
                }
                return Map.of("a", "at last");
            })) {
                Result<String, String> result = delivered(tasks, "a", null);
                Tap.equal(result.value(), "at last", "value");
                Tap.equal(result.attempts(), 3, "attempts");
                Tap.equal(attempts.get(), 3, "calls of the provider");
            }
        });
        tap.test("timeout", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            FetchOptions soon = new FetchOptions().timeoutMs(20);
            try (Tasks<String, String> tasks = held(config(), requests)) {
                Tap.equal(delivered(tasks, "a", soon).status(), Status.ERR_TIMEOUT, "the status");
                Tap.equal(Tap.thrown(KvlightException.class, "fetchWait", () -> tasks.fetchWait("b", soon)).status(), Status.ERR_TIMEOUT, "what is thrown");
                Tap.check(!Tap.taken(requests).isCancelled(), "the load goes on for the next");
            }
            IllegalStateException broken = new IllegalStateException("not now");
            ManualClock clock = new ManualClock(0);
            try (Tasks<String, String> tasks = config().clock(clock).retryCount(1).retryFixedMs(60_000).load(keys -> {
                throw broken;
            })) {
                CompletableFuture<List<Result<String, String>>> fetched = tasks.results(List.of("a"), soon);
                Tap.busyUntil(() -> tasks.stats().attempts() == 1 && tasks.stats().running() == 0);
                clock.advance(20);
                Result<String, String> result = fetched.join().get(0);
                Tap.equal(result.status() + " " + result.attempts(), "ERR_TIMEOUT 1", "the error");
                Tap.check(result.error().getCause() == broken, "what the attempt had failed with");
            }
        });
        tap.test("cancel", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = held(config(), requests)) {
                CompletableFuture<String> one = tasks.fetch("a");
                CompletableFuture<String> other = tasks.fetch("a");
                Request<String, String> request = Tap.taken(requests);
                Tap.check(one.cancel(true), "cancel");
                Tap.thrown(CancellationException.class, "the cancelled", one::join);
                Tap.check(!other.isDone() && !request.isCancelled(), "the other waits on");
                request.resolve("a", "A");
                request.finish();
                Tap.equal(other.join(), "A", "the other");
                Tap.check(!other.cancel(true), "too late");
            }
        });
        tap.test("close while loading", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            Tasks<String, String> tasks = held(config().tasksMaxRunning(1), requests);
            AtomicInteger delivered = new AtomicInteger();
            List<CompletableFuture<Status>> ends = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                ends.add(tasks.fetch("key " + i).handle((value, error) -> {
                    delivered.incrementAndGet();
                    return statusOf(error);
                }));
            }
            Request<String, String> request = Tap.taken(requests);
            tasks.close();
            Tap.equal(ends.stream().map(CompletableFuture::join).distinct().toList(), List.of(Status.ERR_CLOSED), "each ends with CLOSED");
            Tap.equal(delivered.get(), 3, "once");
            Tap.equal(statusOf(tasks.fetch("a").handle((value, error) -> error).join()), Status.ERR_CLOSED, "a fetch afterwards");
            Tap.equal(Tap.thrown(KvlightException.class, "late", () -> request.resolve("key 0", "late")).status(), Status.ERR_CLOSED, "an answer afterwards");
            tasks.close();
        });
        tap.test("10,000 keys", () -> {
            List<String> loaded = list();
            try (Tasks<String, String> tasks = users(config().cacheCapacity(20_000).batchMaxKeys(500), loaded)) {
                List<String> keys = IntStream.range(0, 10_000).mapToObj(i -> "key " + i).toList();
                List<String> wanted = keys.stream().map(key -> "user " + key).toList();
                Tap.equal(tasks.fetchAll(keys).join(), wanted, "values");
                Tap.equal(loaded.size(), 10_000, "keys loaded");
                Tap.equal(tasks.fetchAllWait(keys), wanted, "hits");
                Tap.equal(loaded.size(), 10_000, "keys loaded, still");
            }
        });
        tap.test("callback that fetches", () -> {
            try (Tasks<String, String> tasks = users(config(), list())) {
                CompletableFuture<String> waited = tasks.fetch("a").thenApply(first -> tasks.fetch("b").join());
                CompletableFuture<String> composed = tasks.fetch("c").thenCompose(first -> tasks.fetch(first + " once more"));
                Tap.equal(waited.join(), "user b", "a fetch that waits, inside a callback");
                Tap.equal(composed.join(), "user user c once more", "a fetch begun inside a callback");
            }
        });
        tap.test("object value whose destructor is counted", () -> {
            List<Object> made = list();
            ConcurrentLinkedQueue<Object> dropped = new ConcurrentLinkedQueue<>();
            try (Tasks<String, Object> tasks = new Config<String, Object>(Keys.STRINGS).cacheCapacity(10).dropped(dropped::add).loadOne(key -> {
                Object value = new StringBuilder(key);
                made.add(value);
                return value;
            })) {
                Object kept = tasks.fetch("key 1").join();
                Tap.check(tasks.fetch("key 1").join() == kept, "the very object");
                for (int i = 0; i < 100; i++) {
                    Tap.equal(tasks.fetch("key " + i).join().toString(), "key " + i, "value");
                }
                tasks.remove("key 99");
            }
            Map<Object, Integer> counts = new IdentityHashMap<>();
            dropped.forEach(value -> counts.merge(value, 1, Integer::sum));
            Tap.equal(counts.values().stream().distinct().toList(), List.of(1), "times that an object was dropped");
            Tap.equal(counts.size(), made.size(), "objects dropped");
        });
    }

    private static void specific(Tap tap) {
        tap.test("a wrong setting is refused with a message", () -> {
            KvlightException unknown = Tap.thrown(KvlightException.class, "a setting", () -> users(config().set("cache.capacty", 10), list()));
            Tap.check(unknown.getMessage().contains("cache.capacity"), unknown.getMessage());
            KvlightException both = Tap.thrown(KvlightException.class, "two", () -> users(config().hedgeAfterMs(10).tasksMaxRunning(1), list()));
            Tap.check(both.getMessage().contains("hedge"), both.getMessage());
            Tap.thrown(IllegalArgumentException.class, "a type", () -> config().set("cache.capacity", List.of()));
            try (Tasks<String, String> tasks = users(config(), list())) {
                KvlightException option = Tap.thrown(KvlightException.class, "an option", () -> tasks.fetch("a", new FetchOptions().timeoutMs(0)));
                Tap.check(option.getMessage().contains("timeout_ms"), option.getMessage());
                Tap.thrown(NullPointerException.class, "null", () -> tasks.fetch(null));
            }
        });
        tap.test("a provider may answer one key, or with a future", () -> {
            BlockingQueue<CompletableFuture<Map<String, String>>> futures = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = config().loadAsync(keys -> {
                CompletableFuture<Map<String, String>> future = new CompletableFuture<>();
                futures.add(future);
                return future;
            })) {
                CompletableFuture<List<String>> both = tasks.fetchAll(List.of("a", "b"));
                Tap.taken(futures).complete(Map.of("a", "A"));
                Tap.equal(both.join(), Arrays.asList("A", null), "values");
                CompletableFuture<String> failed = tasks.fetch("c");
                IllegalStateException broken = new IllegalStateException("no");
                Tap.taken(futures).completeExceptionally(broken);
                Tap.check(Tap.thrown(CompletionException.class, "failed", failed::join).getCause() == broken, "the very exception");
                CompletableFuture<String> left = tasks.fetch("d");
                CompletableFuture<Map<String, String>> future = Tap.taken(futures);
                left.cancel(true);
                Tap.busyUntil(future::isCancelled);
            }
            try (Tasks<String, String> tasks = config().batchMaxKeys(3).loadOneAsync(key -> key.equals("no") ? null
                    : CompletableFuture.supplyAsync(() -> key + key))) {
                Tap.equal(tasks.fetchAll(List.of("a", "b", "a")).join(), List.of("aa", "bb", "aa"), "values");
                Tap.thrown(CompletionException.class, "no future", () -> tasks.fetch("no").join());
            }
            try (Tasks<String, String> tasks = config().loadOne(key -> key.equals("no") ? null : key + key)) {
                Tap.equal(tasks.fetchMap(List.of("a", "no")).join(), new HashMap<>(Map.of("a", "aa")) {{ put("no", null); }}, "values");
            }
        });
        tap.test("keys may have other types and any bytes", () -> {
            try (Tasks<byte[], String> tasks = new Config<byte[], String>(Keys.BYTES).load(keys -> {
                Map<byte[], String> rows = new IdentityHashMap<>();
                keys.forEach(key -> rows.put(key, Arrays.toString(key)));
                return rows;
            })) {
                Tap.equal(tasks.fetch(new byte[] {0, -1}).join(), "[0, -1]", "bytes");
                Tap.equal(tasks.fetch(new byte[] {0, -1}).join(), "[0, -1]", "bytes again");
                Tap.equal(tasks.fetch(new byte[0]).join(), "[]", "no bytes");
            }
            try (Tasks<Long, Long> tasks = new Config<Long, Long>(Keys.LONGS).loadOne(key -> key + 1)) {
                Tap.equal(tasks.fetchAll(List.of(1L, -1L, Long.MAX_VALUE)).join(), List.of(2L, 0L, Long.MIN_VALUE), "longs");
            }
            UUID id = UUID.randomUUID();
            try (Tasks<UUID, UUID> tasks = new Config<UUID, UUID>(Keys.UUIDS).loadOne(key -> key)) {
                Tap.equal(tasks.fetch(id).join(), id, "UUIDs");
            }
            Keys<Integer> decimal = Keys.of(key -> key.toString().getBytes(StandardCharsets.UTF_8), bytes -> Integer.valueOf(new String(bytes, StandardCharsets.UTF_8)));
            try (Tasks<Integer, String> tasks = new Config<Integer, String>(decimal).loadOne(key -> "n" + key)) {
                Tap.equal(tasks.fetch(17).join(), "n17", "keys in a form of the program's own");
            }
            try (Tasks<String, String> tasks = users(config(), list())) {
                for (String key : List.of("", "a\0b", "é", "😀", "x".repeat(65_535))) {
                    Tap.equal(tasks.fetch(key).join(), "user " + key, "a String");
                    Tap.equal(tasks.fetch(key).join(), "user " + key, "a String again");
                }
                Throwable tooLong = tasks.fetch("x".repeat(65_536)).handle((value, error) -> error).join();
                Tap.equal(statusOf(tooLong), Status.ERR_KEY_TOO_LONG, "a key that is too long");
                Tap.thrown(IllegalArgumentException.class, "half a surrogate pair", () -> tasks.fetch("a\ud800"));
            }
        });
        tap.test("puts may have a condition, and entries may be replaced and touched", () -> {
            try (Tasks<String, String> tasks = users(config(), list())) {
                Tap.check(!tasks.put("a", "new", Terms.NONE.ifPresent()), "only if present, and it is not");
                Tap.check(tasks.put("a", "first", Terms.NONE.ifAbsent()), "only if absent");
                Tap.check(!tasks.put("a", "second", Terms.NONE.ifAbsent()), "only if absent, and it is there");
                Tap.equal(tasks.get("a"), "first", "what stayed");
                Tap.check(tasks.put("a", "third", Terms.NONE.keepingTtl().ifPresent()), "only if present");
                Tap.check(!tasks.replace("a", "first", "fourth"), "another value");
                Tap.check(tasks.replace("a", "third", "fourth") && !tasks.replace("b", null, "x"), "the expected value");
                Tap.equal(tasks.take("a"), "fourth", "taken");
                Tap.check(tasks.put("n", null) && tasks.contains("n") && tasks.replace("n", null, "now"), "from absent");
                Tap.check(tasks.touch("n", 60_000) && !tasks.touch("nobody", Terms.DEFAULT), "touched");
                Tap.equal(tasks.getAll(List.of("n", "m")), Map.of("n", "now"), "several");
                Tap.equal(tasks.getOrDefault("m", "other"), "other", "a default");
                Tap.equal(tasks.size(), 1L, "entries");
            }
        });
        tap.test("a close while many threads fetch ends all their fetches", () -> {
            Tasks<String, String> tasks = users(config().cacheCapacity(100), list());
            List<CompletableFuture<Status>> ends = new ArrayList<>();
            for (int n = 0; n < 8; n++) {
                int many = n * 100 + 1;
                CompletableFuture<Status> end = new CompletableFuture<>();
                ends.add(end);
                Thread thread = new Thread(() -> {
                    try {
                        for (int i = 0; ; i++) {
                            tasks.fetchWait("key " + i % many);
                        }
                    } catch (KvlightException e) {
                        end.complete(e.status());
                    } catch (Throwable e) {
                        end.completeExceptionally(e);
                    }
                });
                thread.setDaemon(true);
                thread.start();
            }
            Tap.busyUntil(() -> tasks.stats().misses() > 500);
            tasks.close();
            Tap.equal(ends.stream().map(CompletableFuture::join).distinct().toList(), List.of(Status.ERR_CLOSED), "the status of each");
        });
        tap.test("an interrupted wait cancels its own fetch", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = held(config(), requests)) {
                CompletableFuture<String> other = tasks.fetch("b");
                Request<String, String> first = Tap.taken(requests);
                CompletableFuture<Throwable> end = new CompletableFuture<>();
                Thread thread = new Thread(() -> {
                    try {
                        tasks.fetchWait("a");
                    } catch (Throwable e) {
                        end.complete(e);
                    }
                });
                thread.start();
                Request<String, String> request = Tap.taken(requests);
                thread.interrupt();
                Tap.check(end.join() instanceof InterruptedException, "what is thrown");
                Tap.busyUntil(request::isCancelled);
                Tap.check(!other.isDone() && !first.isCancelled(), "the other waits on");
            }
        });
    }
}
