import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import kvlight.Cache;
import kvlight.Config;
import kvlight.FetchOptions;
import kvlight.Gone;
import kvlight.Keys;
import kvlight.KvlightException;
import kvlight.ManualClock;
import kvlight.Permanent;
import kvlight.Request;
import kvlight.RetryAfter;
import kvlight.Status;
import kvlight.Store;
import kvlight.Tasks;
import kvlight.Terms;

/** What goes wrong: functions of the program that fail, objects that are dropped without being closed, libraries that do not load. */
final class Faults {
    private Faults() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0 && arguments[0].equals("exit")) {
            exitWithFetchesInProgress();
            return;
        }
        Tap tap = new Tap();
        failures(tap);
        answers(tap);
        waits(tap);
        mistakes(tap);
        sizes(tap);
        lifetimes(tap);
        loading(tap);
        tap.run(arguments, null);
    }

    private static void failures(Tap tap) {
        tap.test("functions that throw harm nothing else", () -> {
            List<Throwable> reported = Scenarios.list();
            Config<String, String> config = Scenarios.config().cacheCapacity(1).failureHandler(reported::add).dropped(value -> {
                throw new IllegalStateException("dropped");
            });
            try (Tasks<String, String> tasks = Scenarios.users(config, Scenarios.list())) {
                CompletableFuture<Void> thrown = tasks.fetch("a").thenAccept(value -> {
                    throw new IllegalStateException("dependent");
                });
                Tap.thrown(CompletionException.class, "the dependent", thrown::join);
                CompletableFuture<Void> each = tasks.fetchEach(List.of("b", "c"), result -> {
                    throw new IllegalStateException("consumer");
                });
                each.join();
                Tap.equal(tasks.fetch("d").join(), "user d", "a fetch afterwards");
                tasks.results(List.of("e"), new FetchOptions().progress(1, (done, failed, total) -> {
                    throw new IllegalStateException("progress");
                })).join();
            }
            for (String what : List.of("dropped", "consumer", "progress")) {
                Tap.check(reported.stream().anyMatch(error -> error.getMessage().equals(what)), what + " is reported: " + reported);
            }
        });
        tap.test("a caller receives the very exception of the provider, and an error if it returns null", () -> {
            StackOverflowError error = new StackOverflowError("deep");
            AtomicReference<Throwable> next = new AtomicReference<>(error);
            try (Tasks<String, String> tasks = Scenarios.config().load(keys -> {
                if (next.get() instanceof Error fatal) {
                    throw fatal;
                }
                return null;
            })) {
                Tap.check(Tap.thrown(StackOverflowError.class, "fetchWait", () -> tasks.fetchWait("a")) == error, "the very Error");
                next.set(null);
                Tap.thrown(NullPointerException.class, "a map that is null", () -> tasks.fetchWait("a"));
            }
            IOException checked = new IOException("checked");
            try (Tasks<String, String> tasks = Scenarios.config().loadOne(key -> {
                throw checked;
            })) {
                Tap.check(Tap.thrown(CompletionException.class, "fetchWait", () -> tasks.fetchWait("a")).getCause() == checked, "the very exception");
            }
        });
        tap.test("an error may prevent retries, delay them, or end the fallback", () -> {
            AtomicInteger calls = new AtomicInteger();
            try (Tasks<String, String> tasks = Scenarios.config().retryCount(5).load(keys -> {
                calls.incrementAndGet();
                throw new Permanent("for good");
            })) {
                Tap.equal(Tap.thrown(Permanent.class, "fetchWait", () -> tasks.fetchWait("a")).getMessage(), "for good", "the error");
                Tap.equal(calls.get(), 1, "calls of the provider");
            }
            ManualClock clock = new ManualClock(0);
            AtomicReference<RuntimeException> failure = new AtomicReference<>(new RetryAfter("later", 500));
            BlockingQueue<Integer> asked = new LinkedBlockingQueue<>();
            try (Tasks<String, String> tasks = Scenarios.config().clock(clock).retryCount(1).retryFixedMs(0).cacheTtlMs(1000).staleTtlMs(60_000).provide(request -> {
                asked.add(request.attempt("a"));
                if (failure.get() != null) {
                    throw failure.get();
                }
                request.resolve("a", "A");
                request.finish();
            })) {
                CompletableFuture<String> fetched = tasks.fetch("a");
                Tap.equal(Tap.taken(asked), 1, "the first attempt");
                Tap.busyUntil(() -> tasks.stats().running() == 0);
                failure.set(null);
                clock.advance(499);
                Tap.check(!fetched.isDone(), "not before the pause is over");
                clock.advance(1);
                Tap.equal(Tap.taken(asked), 2, "the second attempt");
                Tap.equal(fetched.join(), "A", "the value");
                clock.advance(2000);
                failure.set(new IllegalStateException("down"));
                kvlight.Result<String, String> stale = tasks.results(List.of("a")).join().get(0);
                Tap.check(stale.isStale() && stale.value().equals("A") && stale.error() == failure.get(), "the fallback");
                failure.set(new Gone("deleted"));
                tasks.refresh(List.of("a"));
                Tap.busyUntil(() -> !tasks.contains("a") && tasks.stats().entries() == 0);
            }
        });
        tap.test("executors may reject jobs", () -> {
            ExecutorService shut = Executors.newSingleThreadExecutor();
            shut.shutdown();
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config().executor(shut), Scenarios.list())) {
                Tap.check(tasks.fetch("a").handle((value, error) -> error).join() instanceof RejectedExecutionException, "of providers");
            }
            AtomicInteger dropped = new AtomicInteger();
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config().callbackExecutor(shut).dropped(value -> dropped.incrementAndGet()),
                    Scenarios.list())) {
                Tap.equal(tasks.fetch("a").join(), "user a", "of callbacks");
            }
            Tap.equal(dropped.get(), 1, "values dropped");
        });
        tap.test("a function for dropped values may close, and still receives the values that this drops", () -> {
            AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
            BlockingQueue<String> dropped = new LinkedBlockingQueue<>();
            Tasks<String, String> tasks = Scenarios.users(Scenarios.config().cacheCapacity(1).dropped(value -> {
                dropped.add(value);
                self.get().close();
            }), Scenarios.list());
            self.set(tasks);
            tasks.put("a", "A");
            tasks.put("b", "B");
            Tap.equal(Tap.taken(dropped) + Tap.taken(dropped), "AB", "both are dropped");
            tasks.close();
        });
        tap.test("a provider, a callback and the function of a save may close", () -> {
            for (int i = 0; i < 20; i++) {
                AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
                Tasks<String, String> tasks = Scenarios.config().load(keys -> {
                    self.get().close();
                    return Map.of("a", "A");
                });
                self.set(tasks);
                Tap.equal(Scenarios.statusOf(tasks.fetch("a").handle((value, error) -> error).join()), Status.ERR_CLOSED, "in a provider");
                Tasks<String, String> other = Scenarios.users(Scenarios.config(), Scenarios.list());
                other.fetch("a").thenRun(other::close).join();
                Tap.check(other.isClosed(), "in a callback");
            }
            Path file = Files.createTempFile("kvlight", ".saved");
            Cache<String, String> cache = Scenarios.config().cache();
            cache.put("a", "A");
            cache.save(file, value -> {
                cache.close();
                return value.getBytes();
            });
            Tap.check(cache.isClosed(), "in a function of save");
            cache.close();
            Files.delete(file);
        });
        tap.test("callbacks may close on the only thread of their executor", () -> {
            for (boolean reports : new boolean[] {false, true}) {
                ExecutorService only = Executors.newSingleThreadExecutor();
                AtomicInteger dropped = new AtomicInteger();
                Config<String, String> config = Scenarios.config().callbackExecutor(only);
                if (reports) {
                    config.dropped(value -> dropped.incrementAndGet());
                }
                Tasks<String, String> tasks = Scenarios.users(config, Scenarios.list());
                tasks.fetch("a").thenRun(tasks::close).get(60, TimeUnit.SECONDS);
                Tasks<String, String> other = Scenarios.users(config, Scenarios.list());
                other.fetchEach(List.of("a"), result -> other.close()).get(60, TimeUnit.SECONDS);
                tasks.closeAfter(0).get(60, TimeUnit.SECONDS);
                other.closeAfter(0).get(60, TimeUnit.SECONDS);
                Tap.equal(dropped.get(), reports ? 2 : 0, "values dropped");
                only.shutdown();
            }
        });
        tap.test("other code may close on the only thread for callbacks, if there is no function for dropped values", () -> {
            ExecutorService only = Executors.newSingleThreadExecutor();
            Tasks<String, String> tasks = Scenarios.users(Scenarios.config().callbackExecutor(only), Scenarios.list());
            Tap.equal(tasks.fetchWait("a"), "user a", "the value");
            only.submit(tasks::close).get(60, TimeUnit.SECONDS);
            only.shutdown();
        });
        tap.test("callbacks run although their executor gets no thread", () -> {
            AtomicInteger dropped = new AtomicInteger();
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config().dropped(value -> dropped.incrementAndGet()).callbackExecutor(job -> {
                throw new OutOfMemoryError("unable to create native thread");
            }), Scenarios.list())) {
                Tap.equal(tasks.fetch("a").get(60, TimeUnit.SECONDS), "user a", "the value");
                tasks.closeAfter(0).get(60, TimeUnit.SECONDS);
            }
            Tap.equal(dropped.get(), 1, "values dropped");
        });
        tap.test("equals may close the cache during a replace", () -> {
            AtomicReference<Cache<String, Object>> self = new AtomicReference<>();
            Object value = new Object() {
                @Override
                public boolean equals(Object other) {
                    self.get().close();
                    return other.equals("like it");
                }

                @Override
                public int hashCode() {
                    return 0;
                }
            };
            self.set(new Config<String, Object>(Keys.STRINGS).cache());
            self.get().put("a", value);
            KvlightException error = Tap.thrown(KvlightException.class, "afterwards", () -> self.get().replace("a", "like it", "new"));
            Tap.equal(error.status(), Status.ERR_CLOSED, "its status");
        });
        tap.test("a drain lets accepted work finish", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            Tasks<String, String> tasks = Scenarios.held(Scenarios.config(), requests);
            CompletableFuture<String> fetched = tasks.fetch("a");
            Request<String, String> request = Tap.taken(requests);
            CompletableFuture<Void> end = tasks.closeAfter(-1);
            Tap.equal(Scenarios.statusOf(tasks.fetch("b").handle((value, error) -> error).join()), Status.ERR_CLOSED, "a fetch meanwhile");
            request.resolve("a", "A");
            request.finish();
            Tap.equal(fetched.join(), "A", "the value");
            end.join();
            Tap.thrown(KvlightException.class, "afterwards", () -> tasks.get("a"));
        });
    }

    // -- Answers and waits of providers -----------------------------------------------------------------------------------

    /** Makes the compiler accept any exception. */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> RuntimeException sneaked(Throwable error) throws E {
        throw (E) error;
    }

    /** An Error whose message is code of the program that throws another one. */
    private static final class Unreadable extends Error {
        private static final long serialVersionUID = 1;

        @Override
        public String getMessage() {
            throw new AssertionError("no message");
        }
    }

    private static void answers(Tap tap) {
        tap.test("f15 a second answer for a key is not in time, and fails no other key", () -> {
            List<Object> said = Scenarios.list();
            try (Tasks<String, String> tasks = Scenarios.config().provide(request -> {
                said.addAll(List.of(request.resolve("a", "A"), request.resolve("a", "again"), request.fail("a", new IOException("late"))));
                request.resolve("b", "B");
                request.finish();
                said.addAll(List.of(request.resolve("b", "again"), request.fail("b", new IOException("late")), request.notModified("b"), request.heartbeat()));
                Tap.equal(request.stale("b"), null, "what is held");
                request.finish();
                request.finish(new IOException("late"));
                request.onCancel(() -> { });
                said.add("end");
            })) {
                Tap.equal(tasks.fetchAll(List.of("a", "b")).join(), List.of("A", "B"), "the values");
                Tap.busyUntil(() -> said.contains("end"));
                Tap.equal(List.copyOf(said), List.of(true, false, false, false, false, false, false, "end"), "whether the answers were in time");
            }
        });
        tap.test("f20 whatever a provider throws is what callers receive", () -> {
            for (Throwable error : List.of(new Unreadable(), new CompletionException("mine", new IOException("cause")), new CompletionException("mine", null),
                    new java.util.concurrent.CancellationException("mine"), new ThreadDeath())) {
                try (Tasks<String, String> tasks = Scenarios.config().load(keys -> {
                    throw Faults.<RuntimeException>sneaked(error);
                })) {
                    Tap.check(tasks.fetch("a").handle((value, is) -> is).join() == error, "fetch: " + error.getClass());
                    Tap.check(Tap.thrown(Throwable.class, "fetchWait", () -> tasks.fetchWait("b")) == error, "fetchWait: " + error.getClass());
                    Tap.check(Tap.thrown(Throwable.class, "fetchAllWait", () -> tasks.fetchAllWait(List.of("c", "d"))) == error, "all: " + error.getClass());
                }
            }
        });
        tap.test("l05 an exception may close in its message", () -> {
            AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
            self.set(Scenarios.config().load(keys -> {
                throw new RuntimeException() {
                    @Override
                    public String getMessage() {
                        self.get().close();
                        return "closed";
                    }
                };
            }));
            Tap.equal(Scenarios.statusOf(self.get().fetch("a").handle((value, error) -> error).get(60, TimeUnit.SECONDS)), Status.ERR_CLOSED, "the fetch");
            self.get().closeAfter(0).get(60, TimeUnit.SECONDS);
        });
        tap.test("f04 a provider that changes its keys answers the same keys", () -> {
            try (Tasks<String, String> tasks = Scenarios.config().load(keys -> {
                Tap.thrown(UnsupportedOperationException.class, "reversed", () -> Collections.reverse(keys));
                Tap.thrown(UnsupportedOperationException.class, "cleared", keys::clear);
                return Map.of("a", "A", "b", "B");
            })) {
                Tap.equal(tasks.fetchAll(List.of("a", "b")).join(), List.of("A", "B"), "values");
            }
            try (Tasks<byte[], String> tasks = new Config<byte[], String>(Keys.BYTES).provide(request -> {
                byte[] one = request.keys().get(0).clone();
                request.keys().get(0)[0] = 9;
                Tap.thrown(IllegalArgumentException.class, "the changed key", () -> request.fail(request.keys().get(0), new IOException("other")));
                request.fail(one, new IOException("one"));
                request.finish();
            })) {
                Tap.equal(tasks.results(List.of(new byte[] {1}, new byte[] {2})).join().get(0).error().getMessage(), "one", "the error");
            }
        });
    }

    private static void waits(Tap tap) {
        tap.test("f21 a provider that waits for a key that it is to answer is refused", () -> {
            AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
            List<Status> refused = Scenarios.list();
            Config<String, String> config = Scenarios.config().cacheTtlMs(60_000);
            try (Tasks<String, String> tasks = config.provide(request -> {
                String key = request.keys().get(0);
                if (key.equals("a")) {
                    refused.add(Tap.thrown(KvlightException.class, "fetchWait", () -> self.get().fetchWait("a")).status());
                    refused.add(Tap.thrown(KvlightException.class, "all", () -> self.get().fetchAllWait(List.of("z", "a"))).status());
                    refused.add(Tap.thrown(KvlightException.class, "join", () -> self.get().fetch("a").join()).status());
                    refused.add(Tap.thrown(KvlightException.class, "get", () -> self.get().fetchMap(List.of("a")).get()).status());
                    Tap.equal(self.get().fetchWait("b"), "B", "another key");
                }
                request.resolve(key, key.toUpperCase());
                Tap.equal(self.get().fetchWait(key), key.toUpperCase(), "its own key, answered");
                request.finish();
            })) {
                self.set(tasks);
                Tap.equal(tasks.fetchWait("a"), "A", "the value");
                Tap.equal(List.copyOf(refused), Collections.nCopies(4, Status.ERR_REENTRANT), "the statuses");
            }
        });
        tap.test("f21 a provider that refreshes a key may fetch it beside others", () -> {
            AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
            CompletableFuture<List<String>> seen = new CompletableFuture<>();
            CompletableFuture<List<String>> seenWithOptions = new CompletableFuture<>();
            try (Tasks<String, String> tasks = Scenarios.config().loadOne(key -> {
                if (key.equals("a")) {
                    seen.complete(self.get().fetchAllWait(List.of("a", "z")));
                    seenWithOptions.complete(self.get().fetchAll(List.of("a", "y"), new FetchOptions().timeoutMs(60_000)).join());
                }
                return key.toUpperCase();
            })) {
                self.set(tasks);
                tasks.put("a", "old");
                tasks.refresh(List.of("a"));
                Tap.equal(seen.get(60, TimeUnit.SECONDS), List.of("old", "Z"), "the values");
                Tap.equal(seenWithOptions.get(60, TimeUnit.SECONDS), List.of("old", "Y"), "the values with options");
            }
        });
        tap.test("f21 hundreds of callbacks may wait for fetches at the same time", () -> {
            java.util.concurrent.CountDownLatch gate = new java.util.concurrent.CountDownLatch(1);
            // A function that depends on a future that is done would run on this thread.
            java.util.concurrent.CountDownLatch attached = new java.util.concurrent.CountDownLatch(1);
            try (Tasks<String, String> tasks = Scenarios.config().tasksMaxRunning(8).loadOne(key -> {
                attached.await();
                if (key.equals("gate")) {
                    gate.await();
                }
                return key;
            })) {
                AtomicInteger waiting = new AtomicInteger();
                List<CompletableFuture<String>> all = new ArrayList<>();
                for (int i = 0; i < 400; i++) {
                    all.add(tasks.fetch("key " + i).thenApply(value -> {
                        waiting.incrementAndGet();
                        return tasks.fetch("gate").join();
                    }));
                }
                attached.countDown();
                Tap.busyUntil(() -> waiting.get() == 400);
                gate.countDown();
                for (CompletableFuture<String> one : all) {
                    Tap.equal(one.get(60, TimeUnit.SECONDS), "gate", "the value");
                }
            }
        });
        tap.test("l05 a close does not wait for callbacks of other caches", () -> {
            java.util.concurrent.CountDownLatch gate = new java.util.concurrent.CountDownLatch(1);
            // As above: the functions must not run on this thread.
            java.util.concurrent.CountDownLatch attached = new java.util.concurrent.CountDownLatch(1);
            Tasks<String, String> other = Scenarios.config().loadOne(key -> {
                attached.await();
                return key;
            });
            for (int i = 0; i < 2 * Runtime.getRuntime().availableProcessors() + 8; i++) {
                other.fetch("key " + i).thenRun(() -> {
                    try {
                        gate.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                });
            }
            attached.countDown();
            ExecutorService own = Executors.newCachedThreadPool();
            Tasks<String, String> tasks = Scenarios.users(Scenarios.config().callbackExecutor(own).dropped(value -> { }), Scenarios.list());
            Tap.equal(tasks.fetch("a").get(60, TimeUnit.SECONDS), "user a", "the value");
            CompletableFuture.runAsync(tasks::close, own).get(60, TimeUnit.SECONDS);
            tasks.closeAfter(0).get(60, TimeUnit.SECONDS);
            Tasks<String, String> plain = Scenarios.users(Scenarios.config(), Scenarios.list());
            CompletableFuture.runAsync(plain::close, own).get(60, TimeUnit.SECONDS);
            gate.countDown();
            other.close();
            own.shutdown();
        });
    }

    // -- Mistakes of the program ------------------------------------------------------------------------------------------

    /** Fails if the message of what a call throws does not contain a text. */
    private static void refused(String what, Tap.Test call) {
        Throwable error = Tap.thrown(Throwable.class, what, call);
        Tap.check(String.valueOf(error.getMessage()).contains(what), error + " does not contain: " + what);
    }

    private static void mistakes(Tap tap) {
        tap.test("l09 what is refused is named", () -> {
            ManualClock clock = new ManualClock(0);
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config().clock(clock), Scenarios.list())) {
                refused("ttlMs", () -> tasks.put("a", "A", Terms.NONE.ttlMs(-5)));
                refused("staleTtlMs", () -> tasks.put("a", "A", Terms.NONE.staleTtlMs(-2)));
                refused("cost", () -> tasks.put("a", "A", Terms.NONE.cost(-3)));
                refused("version", () -> tasks.put("a", "A", Terms.NONE.version("v".repeat(256))));
                refused("tags", () -> tasks.put("a", "A", Terms.NONE.tags(Collections.nCopies(17, "t").toArray(String[]::new))));
                refused("a tag has half", () -> tasks.put("a", "A", Terms.NONE.tags("\ud800")));
                refused("a tag", () -> tasks.put("a", "A", Terms.NONE.tags("")));
                refused("Terms.NONE", () -> tasks.put("a", "A", null));
                refused("tag", () -> tasks.removeTag(null));
                refused("keys", () -> tasks.fetchAll(null));
                refused("path", () -> tasks.load(null, String::new));
                refused("path", () -> tasks.save(null, String::getBytes));
                refused("-5", () -> clock.advance(-5));
                refused("-1", () -> new ManualClock(-1));
                refused("TTL", () -> tasks.touch("a", 0));
                refused("share", () -> tasks.trim(1.5));
                refused("-1", () -> tasks.trimTo(-1));
                refused("capacity", () -> tasks.resize(-1, 0));
                refused("drain", () -> tasks.closeAfter(-2));
                refused("NUL", () -> tasks.fetch("a", new FetchOptions().set("timeout_ms\0x", 5)));
                Tap.equal(clock.nowMs(), 0L, "the time");
            }
            refused("NUL", () -> Scenarios.config().set("cache.policy", "lru\0x").cache());
            refused("cache.capacity", () -> Scenarios.config().set("cache.capacity", true).cache());
            Scenarios.config().set("cache.timer", false).cacheTimer(true).cache().close();
            Throwable url = Tap.thrown(Throwable.class, "a URL",
                    () -> Scenarios.config().l2Url("redis://:secret@a/?prefix=a\0b", String::getBytes, String::new).load(keys -> Map.of()));
            Tap.check(url.getMessage().contains("l2Url contains the character NUL") && !url.getMessage().contains("secret"), url.toString());
            try (Tasks<String, String> tasks = Scenarios.config().loadAsync(keys -> null)) {
                refused("not a future", () -> tasks.fetchWait("a"));
            }
            try (Tasks<String, String> tasks = Scenarios.config().provide(request -> request.resolve("a", "A", Terms.NONE.ifAbsent()))) {
                refused("for puts", () -> tasks.fetchWait("a"));
            }
            try (Tasks<String, String> tasks = new Config<String, String>(Keys.of(key -> null, bytes -> "")).load(keys -> Map.of())) {
                refused("encodes keys returned null", () -> tasks.fetch("a"));
            }
            try (Tasks<String, String> tasks = new Config<String, String>(Keys.of(String::getBytes, bytes -> null)).load(keys -> Map.of())) {
                refused("decodes keys returned null", () -> tasks.fetchWait("a"));
            }
        });
        tap.test("s03 f17 the total cost saturates, and a negative cost concerns its own key", () -> {
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config().cost(value -> value.equals("user bad") ? -1 : Long.MAX_VALUE), Scenarios.list())) {
                List<kvlight.Result<String, String>> results = tasks.results(List.of("a", "bad", "b")).join();
                Tap.equal(results.get(0).value() + results.get(2).value(), "user auser b", "the others");
                Tap.check(results.get(1).error() instanceof IllegalArgumentException, "the error: " + results.get(1).error());
                Tap.equal(tasks.cost(), Long.MAX_VALUE, "the total");
                Tap.equal(tasks.stats().cost(), Long.MAX_VALUE, "the total in the statistics");
                refused("-1", () -> tasks.put("c", "user bad"));
            }
        });
        tap.test("s18 a load refuses keys of another type, and values that are null", () -> {
            Path file = Files.createTempFile("kvlight", ".saved");
            try (Cache<String, String> cache = Scenarios.config().cache()) {
                cache.put("a", "A");
                cache.save(file, String::getBytes);
                refused("decodes values returned null", () -> cache.load(file, bytes -> null));
                cache.clear();
                refused("decodes values returned null", () -> cache.load(file, bytes -> null));
                Tap.check(!cache.contains("a"), "nothing is stored");
            }
            try (Cache<Long, String> cache = new Config<Long, String>(Keys.LONGS).cache()) {
                refused("not a long", () -> cache.load(file, String::new));
                Tap.equal(cache.size(), 0L, "entries");
                cache.put(-2L, "A");
                cache.save(file, String::getBytes);
            }
            try (Cache<java.util.UUID, String> cache = new Config<java.util.UUID, String>(Keys.UUIDS).cache()) {
                refused("not a UUID", () -> cache.load(file, String::new));
            }
            try (Cache<String, String> cache = Scenarios.config().cache()) {
                refused("not UTF-8", () -> cache.load(file, String::new));
                cache.put("\ufffd", "A");
                Tap.equal(cache.iterator().next().getKey(), "\ufffd", "a key that looks like invalid UTF-8");
            }
            Files.delete(file);
        });
    }

    // -- Lifetimes --------------------------------------------------------------------------------------------------------

    /** How many threads the Tasks and Caches of this process have, those of the library included, by their names in the system. */
    static long threads() {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/task"))) {
            return all.filter(task -> {
                try {
                    String name = Files.readString(task.resolve("comm")).strip();
                    return name.startsWith("kvl-") || name.equals("kvlight pump");
                } catch (IOException e) {
                    return false; // The thread has ended.
                }
            }).count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** How many descriptors are of the kinds with which the library wakes the readers of queues. */
    static long descriptors() {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(descriptor -> {
                try {
                    String target = Files.readSymbolicLink(descriptor).toString();
                    return target.contains("eventfd") || target.startsWith("pipe:");
                } catch (IOException e) {
                    return false;
                }
            }).count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Drains a Tasks whose load waits for a retry; returns its end. */
    private static CompletableFuture<Void> closeOneThatRetries(ManualClock clock, BlockingQueue<Integer> attempts) {
        Tasks<String, String> tasks = Scenarios.config().clock(clock).retryCount(1).retryFixedMs(1000).provide(request -> {
            int attempt = request.attempt("a");
            if (attempt == 1) {
                request.fail("a", new IllegalStateException("down"));
            } else {
                request.resolve("a", "A");
            }
            request.finish();
            attempts.add(attempt);
        });
        tasks.refresh(List.of("a"));
        Tap.equal(Tap.taken(attempts), 1, "the first attempt");
        Tap.busyUntil(() -> tasks.stats().running() == 0);
        return tasks.closeAfter(-1);
    }

    private static void sizes(Tap tap) {
        tap.test("keys of more than 2 GiB together are refused with a message", () -> {
            byte[] longKey = new byte[60_000];
            try (Cache<Integer, String> cache = new Config<Integer, String>(Keys.of(key -> longKey, bytes -> 0)).cache()) {
                List<Integer> keys = Collections.nCopies(40_000, 0);
                String message = Tap.thrown(IllegalArgumentException.class, "40,000 keys", () -> cache.getAll(keys)).getMessage();
                Tap.equal(message, "kvlight: the arguments have more than 2 GiB", "the message");
            }
        });
    }

    private static void putMany(Store<String, Integer> cache) {
        for (int i = 0; i < 10_000; i++) {
            cache.put("key " + i, i);
        }
    }

    /** How many objects the library holds, or has dropped without the cache having noticed. */
    private static int heldObjects(Cache<?, ?> cache) {
        try {
            var engine = cache.getClass().getSuperclass().getDeclaredField("engine");
            engine.setAccessible(true);
            var objects = engine.getType().getDeclaredField("objects");
            objects.setAccessible(true);
            var size = objects.getType().getDeclaredMethod("size");
            size.setAccessible(true);
            return (int) size.invoke(objects.get(engine.get(cache)));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private static void lifetimes(Tap tap) {
        tap.test("a Tasks or a Cache that is dropped without close leaves no thread and no descriptor", () -> {
            long before = descriptors();
            List<CompletableFuture<String>> kept = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                Tasks<String, String> tasks = Scenarios.users(Scenarios.config().cacheTtlMs(60_000), Scenarios.list());
                kept.add(tasks.fetch("a")); // A future that is kept does not keep its Tasks.
                kept.get(i).join();
                Cache<String, Object> cache = new Config<String, Object>(Keys.STRINGS).cacheTtlMs(60_000).cache();
                cache.put("a", new Object());
                // A provider that refers to its own Tasks.
                AtomicReference<Tasks<String, String>> self = new AtomicReference<>();
                self.set(Scenarios.config().load(keys -> Map.of("a", self.get() + "")));
                self.get().fetch("a").join();
            }
            Tap.collectedUntil(() -> threads() == 0, "threads are left");
            Tap.collectedUntil(() -> descriptors() <= before, "descriptors are left");
            Tap.equal(kept.get(0).join(), "user a", "a kept future");
        });
        tap.test("a fetch in progress keeps its Tasks alive", () -> {
            BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
            CompletableFuture<String> fetched = Scenarios.held(Scenarios.config(), requests).fetch("a");
            Request<String, String> request = Tap.taken(requests);
            for (int i = 0; i < 5; i++) {
                System.gc();
                Thread.sleep(10);
            }
            request.resolve("a", "A");
            request.finish();
            Tap.equal(fetched.join(), "A", "the value");
        });
        tap.test("l05 a Tasks that is dropped while it drains is drained", () -> {
            ManualClock clock = new ManualClock(0);
            BlockingQueue<Integer> attempts = new LinkedBlockingQueue<>();
            CompletableFuture<Void> end = closeOneThatRetries(clock, attempts);
            for (int i = 0; i < 20; i++) {
                System.gc();
                Thread.sleep(20);
            }
            clock.advance(1000);
            Tap.equal(Tap.taken(attempts), 2, "the attempt that was accepted");
            end.get(60, TimeUnit.SECONDS);
        });
        tap.test("S11a values that several threads replace or evict do not pile up", () -> {
            for (boolean isOneKey : new boolean[] {false, true}) {
                try (Cache<String, byte[]> cache = new Config<String, byte[]>(Keys.STRINGS).cacheCapacity(100).cache()) {
                    AtomicInteger most = new AtomicInteger();
                    List<Thread> writers = new ArrayList<>();
                    for (int i = 0; i < 8; i++) {
                        String name = "writer " + i;
                        writers.add(new Thread(() -> {
                            for (int j = 0; j < 10_000; j++) {
                                cache.put(isOneKey ? "one" : name + j, new byte[100]);
                                most.accumulateAndGet(heldObjects(cache), Math::max);
                            }
                        }));
                    }
                    writers.forEach(Thread::start);
                    for (Thread writer : writers) {
                        writer.join();
                    }
                    // 100 are stored, and as many may wait; the others are those of calls and of the writes until the next look.
                    Tap.check(most.get() < 400, "about as many as are stored and 100 more: " + most);
                }
            }
        });
        tap.test("S11a a put does not wait for a listener that waits for it, whatever runs the listener", () -> {
            Executor direct = Runnable::run;
            for (Executor executor : new Executor[] {direct, null}) {
                CompletableFuture<String> put = new CompletableFuture<>();
                List<String> ends = Scenarios.list();
                AtomicInteger removals = new AtomicInteger();
                Config<String, Integer> config = new Config<String, Integer>(Keys.STRINGS).cacheCapacity(100).removalListener((key, value, cause) -> {
                    if (removals.incrementAndGet() == 1) {
                        ends.add(put.copy().completeOnTimeout("the writer waits for the listener", 30, TimeUnit.SECONDS).join());
                    }
                });
                if (executor != null) {
                    config.callbackExecutor(executor);
                }
                Cache<String, Integer> cache = config.cache();
                putMany(cache);
                put.complete("put");
                cache.close();
                Tap.equal(ends, List.of("put"), "what the listener waited for");
                Tap.equal(removals.get(), 10_000, "removals");
            }
        });
        tap.test("S11a a put does not wait for an executor of providers that waits for it", () -> {
            CompletableFuture<String> put = new CompletableFuture<>();
            CountDownLatch reached = new CountDownLatch(1);
            List<String> ends = Scenarios.list();
            Executor waits = job -> {
                reached.countDown();
                ends.add(put.copy().completeOnTimeout("the writer waits for the executor", 30, TimeUnit.SECONDS).join());
                job.run();
            };
            try (Tasks<String, Integer> tasks = new Config<String, Integer>(Keys.STRINGS).cacheCapacity(100).executor(waits).loadOne(key -> 7)) {
                CompletableFuture<Integer> fetch = tasks.fetch("a");
                reached.await();
                putMany(tasks);
                put.complete("put");
                Tap.equal(fetch.join(), 7, "the value");
            }
            Tap.equal(ends, List.of("put"), "what the executor waited for");
        });
        tap.test("l04 an open iterator does not keep values from being dropped", () -> {
            List<String> dropped = Scenarios.list();
            Cache<String, String> cache = Scenarios.config().dropped(dropped::add).cache();
            cache.put("a", "A");
            java.util.Iterator<Map.Entry<String, String>> entries = cache.iterator();
            cache.close();
            Tap.equal(List.copyOf(dropped), List.of("A"), "dropped when close returns");
            java.lang.ref.Reference.reachabilityFence(entries);
        });
        tap.test("l04 a value that is stored several times is dropped once, when none of its entries is left", () -> {
            List<String> dropped = Scenarios.list();
            String value = "A";
            try (Tasks<String, String> tasks = Scenarios.config().dropped(dropped::add).loadOne(key -> value)) {
                tasks.put("a", value);
                tasks.put("b", value);
                tasks.put("b", value, Terms.NONE.ttlMs(60_000));
                Tap.equal(tasks.fetch("c").join(), value, "the value");
                tasks.refresh(List.of("c"));
                Tap.busyUntil(() -> tasks.stats().loadsSucceeded() == 2);
                tasks.remove("a");
                tasks.put("other", "B");
                tasks.remove("other");
                Tap.busyUntil(() -> !dropped.isEmpty());
                Tap.equal(List.copyOf(dropped), List.of("B"), "dropped while the cache has the other");
                tasks.clear();
                Tap.busyUntil(() -> dropped.size() == 2);
                tasks.put("a", value);
            }
            Tap.equal(List.copyOf(dropped), List.of("B", "A", "A"), "dropped");
        });
        tap.test("l05 close returns after calls that ran out of stack", () -> {
            for (int round = 0; round < 4; round++) {
                Tasks<String, String> tasks = Scenarios.users(Scenarios.config(), Scenarios.list());
                int kind = round;
                for (int i = 0; i < 150; i++) {
                    Thread deep = new Thread(null, () -> {
                        try {
                            overflow(tasks, kind);
                        } catch (StackOverflowError e) {
                            // Expected: the calls must have given their passes back nevertheless.
                        }
                    }, "deep", 200_000 + i % 75 * 512);
                    deep.start();
                    deep.join();
                }
                CompletableFuture.runAsync(tasks::close).get(60, TimeUnit.SECONDS);
            }
        });
        tap.test("l08 the thread for what is dropped ends when nothing is open", () -> {
            // The cache keeps the thread of this class loader.
            try (Cache<String, String> cache = Scenarios.config().cache()) {
                Tap.collectedUntil(() -> cleaners() == 1, "the threads of earlier class loaders stay");
                usedApart();
                Tap.collectedUntil(() -> cleaners() == 1, "the thread stays");
                Tap.check(cache.size() == 0, "the cache is open");
            }
        });
        tap.test("a request that is dropped unfinished fails its open keys", () -> {
            try (Tasks<String, String> tasks = Scenarios.config().provide(request -> request.resolve("a", "A"))) {
                CompletableFuture<List<kvlight.Result<String, String>>> fetched = tasks.results(List.of("a", "b"));
                Tap.collectedUntil(fetched::isDone, "the request is not finished");
                Tap.equal(fetched.join().get(1).status(), Status.ERR_UNANSWERED, "the open key");
            }
        });
        tap.test("objects live as long as the store holds them", () -> {
            try (Cache<String, Object> cache = new Config<String, Object>(Keys.STRINGS).cacheCapacity(100).cache()) {
                List<java.lang.ref.WeakReference<Object>> references = new ArrayList<>();
                for (int i = 0; i < 200; i++) {
                    Object value = new byte[1000];
                    references.add(new java.lang.ref.WeakReference<>(value));
                    cache.put("key " + i, value);
                }
                long size = cache.size();
                Tap.collectedUntil(() -> references.stream().filter(reference -> reference.get() != null).count() <= size, "evicted objects stay");
                System.gc();
                Tap.equal(references.stream().filter(reference -> reference.get() != null).count(), size, "objects in the store");
                cache.clear();
                Tap.collectedUntil(() -> references.stream().allMatch(reference -> reference.get() == null), "removed objects stay");
            }
        });
        tap.test("1,000 engines in a row leave no thread", () -> {
            for (int i = 0; i < 1000; i++) {
                try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config(), Scenarios.list())) {
                    Tap.equal(tasks.fetchWait("a"), "user a", "value");
                }
            }
            Tap.busyUntil(() -> threads() == 0);
        });
    }

    private static long cleaners() {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals("kvlight cleaner")).count();
    }

    private static int overflow(Tasks<String, String> tasks, int kind) {
        switch (kind) {
            case 0 -> tasks.take("a");
            case 1 -> tasks.fetch("key");
            case 2 -> tasks.fetchEach(List.of("a", "key"), result -> { });
            default -> tasks.put("a", "A", Terms.NONE.tags("t"));
        }
        return overflow(tasks, kind) + 1;
    }

    // -- Loading ------------------------------------------------------------------------------------------------------

    private static void loading(Tap tap) {
        tap.test("two class loaders can each load the package", () -> Tap.check(usedApart() != usedApart(), "two class loaders"));
        tap.test("each use of a library that does not load throws the real cause", () -> {
            String said = child(List.of("-Dkvlight.library=/nowhere/libkvlight.so"), "Faults$Twice", 0);
            Tap.equal(said.split("kvlight: no library found; tried /nowhere/libkvlight.so \\(", -1).length, 3, said);
            Tap.check(said.contains("KVL_LIBRARY"), said);
            String other = System.getenv("KVL_OTHER_LIBRARY");
            if (other != null) {
                said = child(List.of("-Dkvlight.library=" + other), "Faults$Twice", 0);
                Tap.check(said.contains("this package is for") && said.contains(other + " is 0.1.0"), said);
            }
        });
        tap.test("lookups are direct where Java allows it", () -> {
            Scenarios.config().cache().close();
            var direct = Class.forName("kvlight.Lookups").getDeclaredMethod("areDirect");
            direct.setAccessible(true);
            boolean isOld = Runtime.version().feature() < 22;
            boolean isAllowed = java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments().contains("--enable-native-access=ALL-UNNAMED");
            if (isOld || isAllowed) { // Without the option, a newer Java warns once and then allows it.
                Tap.equal(direct.invoke(null), !isOld, "direct");
            }
        });
        tap.test("without JNA the error says so", () -> {
            String places = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).filter(place -> !place.contains("jna"))
                    .reduce((one, other) -> one + File.pathSeparator + other).orElseThrow();
            String said = child(List.of("-cp", places), "Faults$Twice", 0);
            Tap.equal(said.split("kvlight: JNA is not on the class path", -1).length, 3, said);
        });
        tap.test("the JVM exits with fetches in progress", () -> child(List.of(), "Faults", 0, "exit"));
    }

    /** Uses the package in a class loader of its own, which has this JVM's JNA; returns the loader. */
    private static ClassLoader usedApart() throws Exception {
        URL[] places = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).filter(place -> !place.contains("jna")).map(place -> {
            try {
                return Path.of(place).toUri().toURL();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }).toArray(URL[]::new);
        ClassLoader jna = new ClassLoader(ClassLoader.getPlatformClassLoader()) {
            @Override
            protected Class<?> findClass(String name) throws ClassNotFoundException {
                if (name.startsWith("com.sun.jna.")) {
                    return Class.forName(name);
                }
                throw new ClassNotFoundException(name);
            }
        };
        try (URLClassLoader loader = new URLClassLoader(places, jna)) {
            Class<?> apart = loader.loadClass("Faults$Apart");
            Tap.check(apart != Apart.class, "a class of its own");
            var run = apart.getDeclaredMethod("run");
            run.setAccessible(true);
            Tap.equal(run.invoke(null), "user a", "value");
            return loader;
        }
    }

    /** What each class loader runs. */
    static final class Apart {
        private Apart() {}

        static String run() throws InterruptedException {
            try (Tasks<String, String> tasks = Scenarios.users(Scenarios.config(), Scenarios.list())) {
                return tasks.fetchWait("a");
            }
        }
    }

    /** Tries to use a library that does not load, twice. */
    static final class Twice {
        private Twice() {}

        public static void main(String[] arguments) {
            for (int i = 0; i < 2; i++) {
                try {
                    Scenarios.config().cache();
                } catch (UnsatisfiedLinkError e) {
                    System.out.println(e.getMessage());
                }
            }
        }
    }

    private static void exitWithFetchesInProgress() {
        BlockingQueue<Request<String, String>> requests = new LinkedBlockingQueue<>();
        Tasks<String, String> held = Scenarios.held(Scenarios.config(), requests);
        for (int i = 0; i < 20; i++) {
            held.fetch("key " + i);
        }
        Scenarios.config().loadOne(key -> {
            Thread.sleep(3_600_000);
            return key;
        }).fetch("slow");
    }

    /** Runs a class in a JVM of its own, which must exit with this code; returns its output. */
    private static String child(List<String> options, String name, int code, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(options);
        command.add(name);
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        Tap.check(process.waitFor(60, TimeUnit.SECONDS), "the child does not end");
        Tap.equal(process.exitValue(), code, said);
        return said;
    }
}
