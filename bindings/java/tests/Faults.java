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
import kvlight.Tasks;

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
        tap.test("l04 an open iterator does not keep values from being dropped", () -> {
            List<String> dropped = Scenarios.list();
            Cache<String, String> cache = Scenarios.config().dropped(dropped::add).cache();
            cache.put("a", "A");
            java.util.Iterator<Map.Entry<String, String>> entries = cache.iterator();
            cache.close();
            Tap.equal(List.copyOf(dropped), List.of("A"), "dropped when close returns");
            java.lang.ref.Reference.reachabilityFence(entries);
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

    // -- Loading ------------------------------------------------------------------------------------------------------

    private static void loading(Tap tap) {
        tap.test("two class loaders can each load the package", () -> {
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
            for (int i = 0; i < 2; i++) {
                try (URLClassLoader loader = new URLClassLoader(places, jna)) {
                    Class<?> apart = loader.loadClass("Faults$Apart");
                    Tap.check(apart != Apart.class, "a class of its own");
                    var run = apart.getDeclaredMethod("run");
                    run.setAccessible(true);
                    Tap.equal(run.invoke(null), "user a", "value");
                }
            }
        });
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
