import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import kvlight.BreakerState;
import kvlight.Cache;
import kvlight.Config;
import kvlight.Entries;
import kvlight.FetchOptions;
import kvlight.Keys;
import kvlight.KvlightException;
import kvlight.ManualClock;
import kvlight.RemovalCause;
import kvlight.Request;
import kvlight.Result;
import kvlight.RetryAfter;
import kvlight.Source;
import kvlight.Stale;
import kvlight.Status;
import kvlight.Tasks;
import kvlight.Terms;

/** Tags, versions, fallbacks, iteration, files, limits, validators and listeners, the breaker, invalidation, progress, requests, statistics. */
final class Features {
    private Features() {}

    record Row(String text) {}

    static Config<String, Row> config() {
        return new Config<>(Keys.STRINGS);
    }

    static Map<String, String> content(Iterable<Map.Entry<String, String>> entries) {
        Map<String, String> found = new HashMap<>();
        entries.forEach(entry -> Tap.check(found.put(entry.getKey(), entry.getValue() + "") == null, "twice: " + entry));
        return found;
    }

    public static void main(String[] arguments) {
        Tap tap = new Tap();
        labels(tap);
        entries(tap);
        listeners(tap);
        control(tap);
        tap.run(arguments, null);
    }

    private static void labels(Tap tap) {
        tap.test("r11 a tag removes its entries", () -> {
            try (Cache<String, String> cache = Scenarios.config().cache()) {
                cache.put("1", "one", Terms.NONE.tags("odd", "small"));
                cache.put("2", "two", Terms.NONE.tags("small"));
                cache.put("3", "three", Terms.NONE.tags("odd"));
                Tap.equal(cache.removeTag("odd"), 2L, "removed");
                Tap.equal(content(cache), Map.of("2", "two"), "what is left");
                Tap.equal(cache.removeTag("odd") + cache.removeTag("not there"), 0L, "again");
                cache.put("2", "zwei"); // a new value has the tags of its own put
                Tap.equal(cache.removeTag("small"), 0L, "a new value");
                Tap.equal(cache.stats().removedTag(), 2L, "counted");
            }
        });
        tap.test("r11 an answer has tags, and is not stored if one of them was removed during the load", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = Scenarios.held(Scenarios.config(), requests)) {
                for (int i = 0; i < 2; i++) {
                    CompletableFuture<String> fetched = tasks.fetch("a");
                    Request<String, String> request = Tap.taken(requests);
                    if (i == 0) {
                        Tap.equal(tasks.removeTag("shelf"), 0L, "nothing is stored yet");
                    }
                    request.resolve("a", "A", Terms.NONE.tags("shelf"));
                    request.finish();
                    Tap.equal(fetched.join(), "A", "the load");
                    Tap.equal(tasks.get("a"), i == 0 ? null : "A", "what is stored");
                }
                Tap.equal(tasks.removeTag("shelf"), 1L, "removed");
            }
        });
        tap.test("r12 the entries of a tag, or all entries, can be expired, and stay as fallbacks", () -> {
            AtomicBoolean isDown = new AtomicBoolean();
            try (Tasks<String, String> tasks = Scenarios.config().cacheTtlMs(60_000).staleTtlMs(60_000).provide(request -> {
                if (isDown.get()) {
                    throw new java.io.IOException("down");
                }
                request.keys().forEach(key -> request.resolve(key, key, Terms.NONE.tags(key.compareTo("c") < 0 ? "early" : "late")));
                request.finish();
            })) {
                tasks.fetchAll(List.of("a", "b", "c")).join();
                isDown.set(true);
                Tap.equal(tasks.expireTag("early"), 2L, "a tag");
                Tap.equal(tasks.get("a") + tasks.get("c"), "nullc", "entries");
                Tap.equal(tasks.results(List.of("a", "b", "c")).join().stream().map(Result::isStale).toList(), List.of(true, true, false), "fallbacks");
                tasks.expireAll();
                Tap.equal(tasks.get("c"), null, "all");
                Tap.equal(tasks.fetch("c").join(), "c", "a fallback");
                Tap.check(!tasks.expire("nobody"), "no entry");
            }
        });
        tap.test("r04 a fetch states how long it waits before it is served a fallback", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = Scenarios.held(Scenarios.config().cacheTtlMs(60_000).staleTtlMs(60_000), requests)) {
                tasks.put("a", "old");
                tasks.expire("a");
                CompletableFuture<String> patient = tasks.fetch("a");
                Result<String, String> stale = tasks.results(List.of("a"), new FetchOptions().staleTimeoutMs(0)).join().get(0);
                Tap.check(stale.orThrow().equals("old") && stale.isStale() && stale.error() == null && stale.source() == Source.STALE, stale.toString());
                Tap.equal(tasks.fetch("a", new FetchOptions().staleTimeoutMs(20)).join(), "old", "the fallback after a while");
                Tap.check(!patient.isDone(), "another fetch waits for the load");
                Request<String, String> request = Tap.taken(requests);
                request.resolve("a", "new");
                request.finish();
                Tap.equal(patient.join() + tasks.get("a"), "newnew", "the load is stored");
                KvlightException refused = Tap.thrown(KvlightException.class, "options", () -> tasks.fetch("b", new FetchOptions().staleTimeoutMs(5).timeoutMs(5)));
                Tap.check(refused.status() == Status.ERR_BAD_VALUE && refused.getMessage().contains("stale.timeout_ms"), refused.getMessage());
            }
        });
        tap.test("a result returns its value or throws its error, and a RetryAfter states a pause", () -> {
            IllegalStateException down = new IllegalStateException("down");
            try (Tasks<String, String> tasks = Scenarios.config().load(keys -> {
                throw down;
            })) {
                Result<String, String> failed = tasks.results(List.of("a")).join().get(0);
                Tap.check(Tap.thrown(IllegalStateException.class, "the error", failed::orThrow) == down, "the very exception");
                tasks.put("b", "B");
                tasks.put("c", null);
                Tap.equal(tasks.results(List.of("b", "c")).join().stream().map(result -> result.orThrow() + "").toList(), List.of("B", "null"), "values");
            }
            Tap.equal(new RetryAfter("later", 60).afterMs(), 60L, "the pause");
            Tap.thrown(IllegalArgumentException.class, "a pause below 0", () -> new RetryAfter("later", -1));
        });
        tap.test("r06 a record that has not changed keeps its value", () -> {
            List<Stale<Row>> seen = new ArrayList<>();
            Map<String, Row> source = new HashMap<>(Map.of("a", new Row("first"), "b", new Row("other")));
            Map<String, String> versions = new HashMap<>(Map.of("a", "v1", "b", "w1"));
            try (Tasks<String, Row> tasks = config().cacheTtlMs(10_000).staleTtlMs(60_000).provide(request -> {
                for (String key : request.keys()) {
                    Stale<Row> held = request.stale(key);
                    seen.add(held);
                    if (held != null && held.version().equals(versions.get(key))) {
                        Tap.check(request.notModified(key, Terms.NONE.ttlMs(50_000)), "in time");
                    } else {
                        request.resolve(key, source.get(key), Terms.NONE.version(versions.get(key)).tags("t"));
                    }
                }
                request.finish();
            })) {
                List<Row> first = tasks.fetchAll(List.of("a", "b")).join();
                Tap.check(seen.get(0) == null && seen.get(1) == null, "nothing is held");
                tasks.expireAll();
                versions.put("b", "w2");
                source.put("b", new Row("changed"));
                List<Result<String, Row>> again = tasks.results(List.of("a", "b")).join();
                Tap.equal(seen.get(2).value().text() + seen.get(2).version() + (seen.get(2).ageMs() >= 0), "firstv1true", "what is held");
                Result<String, Row> same = again.get(0);
                Tap.check(same.value() == first.get(0) && !same.isStale() && same.source() == Source.PROVIDER && same.ttlLeftMs() > 40_000, same.toString());
                Tap.equal(again.get(1).value().text(), "changed", "the other");
                Tap.equal(tasks.removeTag("t"), 2L, "it kept its tags");
            }
        });
        tap.test("r06 notModified() throws if no value is held, and answers nothing", () -> {
            AtomicReference<Throwable> why = new AtomicReference<>();
            try (Tasks<String, Row> tasks = config().provide(request -> {
                why.set(Tap.thrown(IllegalStateException.class, "no entry", () -> request.notModified("a")));
                Tap.thrown(IllegalArgumentException.class, "another key", () -> request.notModified("b"));
                request.resolve("a", null);
                request.finish();
            })) {
                Tap.equal(tasks.fetch("a").join(), null, "the key");
                Tap.check(why.get() != null, "it was thrown");
            }
        });
        tap.test("r11 invalid tags and versions are refused", () -> {
            try (Cache<String, String> cache = Scenarios.config().cache()) {
                String[] many = new String[17];
                java.util.Arrays.fill(many, "t");
                for (Terms terms : List.of(Terms.NONE.tags(""), Terms.NONE.tags("x".repeat(256)), Terms.NONE.tags(many), Terms.NONE.version("v".repeat(256)))) {
                    Tap.equal(Tap.thrown(KvlightException.class, terms.toString(), () -> cache.put("a", "one", terms)).status(), Status.ERR_BAD_VALUE, "status");
                }
                Tap.thrown(KvlightException.class, "an empty tag", () -> cache.removeTag(""));
                Tap.check(cache.put("a", "one", Terms.NONE.version("v".repeat(255)).tags("é".repeat(127))), "the longest");
            }
        });
    }

    private static void entries(Tap tap) {
        tap.test("s18 each entry is visited once, whatever changes meanwhile", () -> {
            try (Cache<String, String> cache = Scenarios.config().cacheCapacity(10_000).cache()) {
                for (int i = 0; i < 1000; i++) {
                    cache.put("key " + i, i % 10 == 0 ? null : "value " + i);
                }
                Map<String, String> found = new HashMap<>();
                for (Map.Entry<String, String> entry : cache) {
                    Tap.check(found.put(entry.getKey(), entry.getValue() + "") == null, "twice");
                    cache.put("other " + found.size(), "x");
                }
                for (int i = 0; i < 1000; i++) {
                    Tap.equal(found.get("key " + i), i % 10 == 0 ? "null" : "value " + i, "key " + i);
                }
                Tap.equal(cache.stats().hits(), 0L, "uses");
                Entries<String, String> some = cache.entries();
                some.next();
                some.close();
                Tap.check(!some.hasNext(), "closed");
                Entries<String, String> open = cache.entries();
                cache.close();
                Tap.equal(Tap.thrown(KvlightException.class, "afterwards", open::next).status(), Status.ERR_CLOSED, "of a closed cache");
            }
        });
        tap.test("s18 a saved cache is loaded again", () -> {
            Path file = Files.createTempFile("kvlight-é", ".saved");
            try (Cache<String, Row> cache = config().cache()) {
                cache.put("a", new Row("A"), Terms.NONE.ttlMs(60_000).tags("t"));
                cache.put("b", new Row("B"));
                cache.put("none", null);
                Tap.equal(cache.save(file, row -> row.text().getBytes()), 3L, "entries written");
                IllegalStateException broken = new IllegalStateException("broken");
                Tap.check(Tap.thrown(IllegalStateException.class, "save", () -> cache.save(file, row -> {
                    throw broken;
                })) == broken, "the very exception");
            }
            try (Tasks<String, Row> tasks = config().load(keys -> Map.of())) {
                tasks.put("b", new Row("newer"));
                Tap.equal(tasks.load(file, bytes -> new Row(new String(bytes))), 2L, "entries stored");
                Tap.equal(tasks.get("a"), new Row("A"), "an object");
                Tap.equal(tasks.get("b"), new Row("newer"), "what was there");
                Tap.check(tasks.contains("none") && tasks.get("none") == null, "an absence");
                Tap.equal(tasks.removeTag("t"), 1L, "tags");
                IllegalStateException broken = new IllegalStateException("broken");
                tasks.clear();
                Tap.check(Tap.thrown(IllegalStateException.class, "load", () -> tasks.load(file, bytes -> {
                    throw broken;
                })) == broken, "the very exception");
                KvlightException missing = Tap.thrown(KvlightException.class, "load", () -> tasks.load(Path.of("/nowhere/file"), bytes -> null));
                Tap.check(missing.status() == Status.ERR_IO && !missing.getMessage().isEmpty(), missing.toString());
                byte[] bytes = Files.readAllBytes(file);
                bytes[bytes.length / 2] ^= 1;
                Files.write(file, bytes);
                Status damaged = Tap.thrown(KvlightException.class, "damage", () -> tasks.load(file, row -> null)).status();
                Tap.check(damaged == Status.ERR_CORRUPT || damaged == Status.ERR_TRUNCATED, damaged.toString());
            }
            Files.delete(file);
        });
        tap.test("limits and costs hold, and eviction has an order", () -> {
            List<String> dropped = Scenarios.list();
            try (Cache<String, String> cache = Scenarios.config().cacheCapacity(4).cacheShards(1).dropped(dropped::add).cache()) {
                cache.put("low", "low", Terms.NONE.priority(-1));
                for (String key : List.of("a", "b", "c", "d")) {
                    cache.put(key, key);
                }
                Tap.equal(cache.get("low"), null, "the lowest priority leaves first");
                cache.trimTo(2);
                Tap.equal(content(cache).keySet(), java.util.Set.of("c", "d"), "the least recently used leave");
                cache.resize(1, -1);
                Tap.equal(cache.size(), 1L, "entries");
                cache.trim(0);
                Tap.equal(cache.size(), 0L, "entries");
            }
            Tap.equal(dropped, List.of("low", "a", "b", "c", "d"), "dropped, in order");
            try (Cache<String, String> cache = Scenarios.config().cacheShards(1).cacheCostLimit(1500).cost(String::length).cache()) {
                Tap.check(cache.put("a", "x".repeat(1000)) && cache.put("b", "x".repeat(1000)), "stored");
                Tap.check(cache.get("a") == null && cache.get("b") != null && cache.cost() > 1000, "one has room");
                Tap.check(!cache.put("c", "", Terms.NONE.cost(5000)), "none has room");
            }
        });
        tap.test("a manual clock moves only when it is advanced", () -> {
            ManualClock clock = new ManualClock(1000);
            try (Cache<String, String> cache = Scenarios.config().cacheTtlMs(100).clock(clock).cache()) {
                cache.put("a", "A");
                cache.put("b", "B", Terms.NONE.ttlMs(Terms.NEVER));
                clock.advance(100);
                Tap.equal(clock.nowMs(), 1100L, "the time");
                Tap.equal(content(cache), Map.of("b", "B"), "what has not expired");
            }
        });
    }

    private static void listeners(Tap tap) {
        tap.test("s10 a validator refuses keys without a load", () -> {
            List<String> loaded = Scenarios.list();
            List<Throwable> failures = Scenarios.list();
            RuntimeException broken = new RuntimeException("broken");
            AtomicInteger calls = new AtomicInteger();
            AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
            Config<String, String> config = Scenarios.config().failureHandler(failures::add).validator(key -> {
                calls.incrementAndGet();
                if (key.equals("broken")) {
                    throw broken;
                }
                if (key.equals("nested")) {
                    return self.get().get("a") != null;
                }
                if (key.equals("close")) {
                    self.get().close();
                }
                return !key.startsWith("bad");
            });
            try (Tasks<String, String> tasks = Scenarios.users(config, loaded)) {
                self.set(tasks);
                Tap.equal(tasks.fetch("a").join() + tasks.fetchWait("bad 1"), "user anull", "fetches");
                Tap.check(!tasks.put("bad 2", "x") && tasks.get("bad 2") == null && tasks.getOrDefault("bad 2", "other").equals("other"), "a put and two lookups");
                Tap.equal(tasks.getAll(List.of("a", "bad 3")), Map.of("a", "user a"), "many");
                Tap.equal(tasks.stats().invalidKeys(), 4L, "counted: four lookups, and no put");
                int before = calls.get();
                Tap.equal(tasks.results(List.of("bad 4", "b")).join().stream().map(Result::status).toList(), List.of(Status.INVALID_KEY, Status.VALUE),
                        "results");
                Tap.equal(calls.get() - before, 2, "once for each position");
                Tap.equal(tasks.fetch("missed").join() + tasks.fetch("missed").join(), "user missed".repeat(2), "a miss and a hit");
                Tap.equal(calls.get() - before, 4, "once for each fetch of one key");
                Tap.equal(tasks.fetchAll(List.of("bad 5", "a")).join(), java.util.Arrays.asList(null, "user a"), "a batch");
                Tap.equal(loaded, List.of("a", "b", "missed"), "what the provider was asked");
                Tap.equal(tasks.get("broken"), null, "a validator that throws");
                Tap.check(failures.get(0) == broken, "the very exception");
                Tap.equal(tasks.fetch("nested").join(), "user nested", "a validator that looks up");
                Tap.equal(Tap.thrown(KvlightException.class, "closed inside", () -> {
                    tasks.fetchWait("close");
                    tasks.fetchWait("a");
                }).status(), Status.ERR_CLOSED, "a validator that closes does not wait for itself");
            }
            try (Cache<String, String> cache = Scenarios.config().validator(key -> key.length() < 3).cache()) {
                Tap.check(cache.put("ok", "x") && !cache.put("long", "x") && !cache.contains("long") && cache.size() == 1, "of a cache");
            }
        });
        tap.test("s11 a removal listener receives each entry that leaves, once and in order", () -> {
            List<String> reported = Scenarios.list();
            List<String> dropped = Scenarios.list();
            Config<String, String> config = Scenarios.config().cacheCapacity(2).cacheShards(1).dropped(dropped::add)
                    .removalListener((key, value, cause) -> reported.add(key + "=" + value + " " + cause));
            try (Cache<String, String> cache = config.cache()) {
                cache.put("a", "1");
                cache.put("a", "2");
                cache.put("none", null);
                cache.put("b", "3");
                cache.put("b", "4", Terms.NONE.tags("t"));
                cache.removeTag("t");
                cache.remove("none");
                cache.put("c", "5");
                Tap.equal(cache.take("c"), "5", "taken");
                cache.put("d", "6");
                cache.trim(0);
                cache.put("e", "7");
            }
            Tap.equal(reported, List.of("a=1 REPLACED", "a=2 CAPACITY", "b=3 REPLACED", "b=4 TAG", "none=null REMOVED", "c=5 REMOVED", "d=6 TRIMMED", "e=7 CLEARED"),
                    "what left");
            Tap.equal(dropped, List.of("1", "2", "3", "4", "5", "6", "7"), "dropped");
        });
        tap.test("s11 a removal listener of an engine may use it, and one that throws harms nothing else", () -> {
            BlockingQueue<String> reported = new LinkedBlockingQueue<>();
            List<Throwable> failures = Scenarios.list();
            AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
            ManualClock clock = new ManualClock(0);
            Config<String, String> config = Scenarios.config().clock(clock).cacheTtlMs(1000).failureHandler(failures::add)
                    .removalListener((key, value, cause) -> {
                        reported.add(key + "=" + value + " " + cause);
                        if (key.equals("a")) {
                            throw new IllegalStateException("broken");
                        }
                        if (cause == RemovalCause.EXPIRED) {
                            reported.add("again: " + self.get().fetch(key).join());
                        }
                    });
            try (Tasks<String, String> tasks = Scenarios.users(config, Scenarios.list())) {
                self.set(tasks);
                Tap.equal(tasks.fetchAll(List.of("a", "b")).join(), List.of("user a", "user b"), "loads");
                tasks.remove("a");
                Tap.equal(Tap.taken(reported), "a=user a REMOVED", "removed");
                clock.advance(1000);
                Tap.equal(Tap.taken(reported), "b=user b EXPIRED", "expired");
                Tap.equal(Tap.taken(reported), "again: user b", "a fetch inside");
                Tap.check(failures.get(0) instanceof IllegalStateException, "the exception is reported");
            }
            Tap.check(reported.isEmpty(), "closing an engine, unlike a cache, reports no removals: " + reported);
        });
    }

    private static void control(Tap tap) {
        tap.test("f19 an engine with read = refresh reloads stored keys", () -> {
            AtomicInteger loads = new AtomicInteger();
            Config<String, String> config = Scenarios.config().read(Config.Read.REFRESH);
            try (Tasks<String, String> tasks = config.load(keys -> Map.of("a", "load " + loads.incrementAndGet()))) {
                Tap.equal(List.of(tasks.fetch("a").join(), tasks.fetchWait("a")), List.of("load 1", "load 2"), "the values");
                Tap.equal(tasks.fetch("a", new FetchOptions().read(FetchOptions.Read.NORMAL)).join(), "load 2", "a fetch that reads the store");
            }
        });
        tap.test("the breaker can be forced, and keys refreshed and invalidated", () -> {
            List<String> loaded = Scenarios.list();
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config().breakerConsecutive(3), loaded)) {
                Tap.equal(tasks.breaker(), BreakerState.CLOSED, "the state");
                tasks.forceBreaker(BreakerState.OPEN);
                Tap.equal(tasks.breaker(), BreakerState.OPEN, "forced");
                Tap.equal(tasks.results(List.of("a")).join().get(0).status(), Status.ERR_UNAVAILABLE, "a fetch meanwhile");
                Tap.thrown(IllegalArgumentException.class, "half open", () -> tasks.forceBreaker(BreakerState.HALF_OPEN));
                tasks.forceBreaker(null);
                Tap.equal(tasks.fetchAll(List.of("a", "b")).join(), List.of("user a", "user b"), "afterwards");
                tasks.refresh(List.of("a"));
                Tap.busyUntil(() -> loaded.size() == 3);
                tasks.invalidate(List.of("a"));
                Tap.check(!tasks.contains("a") && tasks.contains("b"), "a key");
                tasks.invalidateAll();
                Tap.equal(tasks.size(), 0L, "all");
            }
        });
        tap.test("fetchEach reports results one by one, and progress", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = Scenarios.held(Scenarios.config().batchMaxKeys(1), requests)) {
                tasks.put("b", "B");
                BlockingQueue<Result<String, String>> arrived = new LinkedBlockingQueue<>();
                List<String> progress = Scenarios.list();
                FetchOptions options = new FetchOptions().progress(1, (done, failed, total) -> progress.add(done + " " + failed + " of " + total));
                CompletableFuture<Void> end = tasks.fetchEach(List.of("a", "b"), options, arrived::add);
                Tap.equal(Tap.taken(arrived).value(), "B", "what is in the cache comes first");
                Request<String, String> request = Tap.taken(requests);
                request.fail("a", new IllegalStateException("no"));
                request.finish();
                Tap.equal(Tap.taken(arrived).status(), Status.ERR_PROVIDER, "the other");
                end.join();
                Tap.equal(progress.get(progress.size() - 1), "2 1 of 2", "progress");
                tasks.fetchEach(List.of(), arrived::add).join();
                CompletableFuture<Void> left = tasks.fetchEach(List.of("c", "b"), arrived::add);
                Request<String, String> unwanted = Tap.taken(requests);
                left.cancel(true);
                Tap.busyUntil(unwanted::isCancelled);
                AtomicBoolean isTold = new AtomicBoolean();
                unwanted.onCancel(() -> isTold.set(true));
                Tap.busyUntil(isTold::get);
            }
        });
        tap.test("f03 the future of a single fetch completes after its last report", () -> {
            AtomicInteger reports = new AtomicInteger();
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config(), Scenarios.list())) {
                FetchOptions options = new FetchOptions().progress(1, (done, failed, total) -> {
                    try {
                        Thread.sleep(100);
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    reports.incrementAndGet();
                });
                Tap.equal(tasks.fetch("a", options).join() + reports.get(), "user a1", "reports");
            }
        });
        tap.test("a request tells its keys, attempt, urgency and time, and when it is cancelled", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = Scenarios.held(Scenarios.config().attemptTimeoutMs(60_000), requests)) {
                CompletableFuture<String> fetched = tasks.fetch("a", new FetchOptions().urgency(7));
                Request<String, String> request = Tap.taken(requests);
                Tap.equal(request.keys() + " " + request.attempt("a") + " " + request.urgency() + " " + request.isWanted("a"), "[a] 1 7 true", "a request");
                Tap.check(request.timeLeftMs() > 0 && request.heartbeat() && !request.isCancelled(), "in time");
                BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
                request.onCancel(() -> cancelled.add("cancelled"));
                Tap.thrown(IllegalStateException.class, "a second one", () -> request.onCancel(() -> { }));
                request.resolve("extra", "E");
                Tap.equal(tasks.get("extra"), "E", "a key that was not asked for");
                fetched.cancel(true);
                Tap.equal(Tap.taken(cancelled), "cancelled", "the function");
                Tap.check(request.isCancelled() && !request.isWanted("a"), "it is unwanted");
                request.finish();
                Tap.check(!request.isCancelled() && request.timeLeftMs() == -1 && request.attempt("a") == 0, "it is finished");
            }
        });
        tap.test("statistics count until they are reset", () -> {
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config(), Scenarios.list())) {
                tasks.fetchAll(List.of("a", "b", "no")).join();
                tasks.get("a");
                Tap.equal(tasks.stats().hits() + " " + tasks.stats().entries() + " " + tasks.stats().loadsSucceeded(), "1 3 3", "numbers");
                Tap.check(tasks.statsJson().startsWith("{") && tasks.statsJson().contains("\"hits\""), "JSON");
                Tap.check(tasks.statsOpenMetrics().endsWith("# EOF\n"), "OpenMetrics");
                tasks.resetStats();
                Tap.equal(tasks.stats().hits() + " " + tasks.stats().entries(), "0 3", "after a reset");
            }
            try (Cache<String, String> cache = Scenarios.config().cache()) {
                cache.get("a");
                Tap.check(cache.stats().misses() == 1 && cache.statsJson().startsWith("{") && cache.statsOpenMetrics().contains("kvlight"), "of a cache");
                cache.resetStats();
            }
        });
    }
}
