import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import kvlight.FetchOptions;
import kvlight.Tasks;
import kvlight.Terms;

/** Calls each kind of function many times (KVL_CALLS, a million unless it is set), and fails if the process grows by more than a limit. */
final class Leak {
    /** How many bytes the process may grow by for each call: the JVM's own memory, such as compiled code, grows too. */
    private static final int PER_CALL = 16;

    private static final int PARTS = 5;

    private static final IllegalStateException BROKEN = new IllegalStateException("broken");

    private Leak() {}

    private static long residentBytes() throws Exception {
        // statm counts pages.
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
    }

    private static Tasks<String, Object> open() {
        return new kvlight.Config<String, Object>(kvlight.Keys.STRINGS).cacheCapacity(500).cacheErrorTtlMs(0).load(keys -> {
            if (keys.get(0).startsWith("broken")) {
                throw BROKEN;
            }
            Map<String, Object> rows = new java.util.HashMap<>();
            keys.forEach(key -> rows.put(key, new StringBuilder(key)));
            return rows;
        });
    }

    /** Makes about this many calls. */
    private static void calls(Tasks<String, Object> tasks, int count) throws Exception {
        List<String> keys = IntStream.range(0, 100).mapToObj(i -> "key " + i).toList();
        Terms terms = Terms.NONE.ttlMs(60_000).tags("one", "two").version("v");
        FetchOptions options = new FetchOptions().timeoutMs(60_000);
        for (int i = 0; i < count; i++) {
            String key = keys.get(i % keys.size());
            switch (i % 10) {
                case 0, 1, 2 -> tasks.fetch(key).join();
                case 3 -> tasks.get(key);
                case 4 -> tasks.put(key, key, terms);
                case 5 -> tasks.put("other " + i, new Object());
                case 6 -> tasks.remove(key);
                case 7 -> tasks.fetch(key, options).join();
                case 8 -> {
                    if (i % 100 == 8) {
                        tasks.fetchAll(keys.subList(0, 20)).join();
                        tasks.stats();
                        for (Map.Entry<String, Object> entry : tasks) {
                            if (entry.getKey().length() < 3) {
                                break;
                            }
                        }
                    } else {
                        CompletableFuture<Object> left = tasks.fetch("left " + i);
                        left.cancel(true);
                    }
                }
                default -> {
                    if (tasks.fetch("broken " + i).handle((value, error) -> error).join() != BROKEN) {
                        throw new AssertionError("another error");
                    }
                }
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(System.getenv().getOrDefault("KVL_CALLS", "1000000"));
        try (Tasks<String, Object> tasks = open()) {
            calls(tasks, Math.max(count / 5, 100_000));
            // A leak grows in each part; the JVM itself only in some, when it compiles or starts threads.
            long least = Long.MAX_VALUE;
            for (int part = 0; part < PARTS; part++) {
                System.gc();
                long before = residentBytes();
                calls(tasks, count / PARTS);
                System.gc();
                least = Math.min(least, residentBytes() - before);
            }
            System.out.println("# " + count + " calls in " + PARTS + " parts: " + least / 1024 + " KiB more after the part that grew least");
            if (least > Math.max((long) PER_CALL * count / PARTS, 1 << 20)) {
                System.out.println("not ok - " + (double) least * PARTS / count + " bytes a call");
                System.exit(1);
            }
            System.out.println("ok - no leak");
        }
    }
}
