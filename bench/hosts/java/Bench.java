import com.github.benmanes.caffeine.cache.AsyncLoadingCache;
import com.github.benmanes.caffeine.cache.CacheLoader;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.sun.jna.Native;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import kvlight.Config;
import kvlight.Keys;
import kvlight.Tasks;

/** Compares kvlight for Java with Caffeine's AsyncLoadingCache. Prints a line for each kind of work and library: the work, the library, CPU ns per key. */
final class Bench {
    private static final int KEYS = Integer.parseInt(System.getenv().getOrDefault("KVL_BENCH_KEYS", "100000"));
    private static final int ROUNDS = 5;
    private static final int ABSENT = 1_000;
    private static final int BATCHES = 20;
    /** Rounds that are not counted, in which the JVM compiles. */
    private static final int WARM_UP = 3;

    private static final Map<String, List<Double>> FIGURES = new LinkedHashMap<>();

    private Bench() {}

    private static native int kvl_version_number();

    /** The processor time of all threads in microseconds, from the C library. Java's own clock has steps of ten milliseconds. */
    private static native long clock();

    private static void repeated(List<String> keys, Consumer<String> call) {
        for (int i = 0; i < KEYS / keys.size(); i++) {
            keys.forEach(call);
        }
    }

    private static Map<String, Object> rows(Iterable<? extends String> keys) {
        Map<String, Object> rows = new HashMap<>();
        keys.forEach(key -> rows.put(key, new String[] {key}));
        return rows;
    }

    private static void measured(int turn, String work, String library, int keys, Runnable call) {
        long begun = clock();
        call.run();
        double each = (clock() - begun) * 1000.0 / keys;
        if (turn >= 0) {
            FIGURES.computeIfAbsent(work + "\t" + library, name -> new ArrayList<>()).add(each);
        }
    }

    /** Keys that neither cache has. */
    private static List<List<String>> absent(String of, int turn) {
        List<List<String>> batches = new ArrayList<>();
        for (int batch = 0; batch < BATCHES; batch++) {
            List<String> keys = new ArrayList<>();
            for (int i = 0; i < ABSENT; i++) {
                keys.add(of + " " + turn + " " + batch + " " + i);
            }
            batches.add(keys);
        }
        return batches;
    }

    public static void main(String[] arguments) {
        Native.register(Bench.class, System.getenv("KVL_LIBRARY"));
        List<String> order = new ArrayList<>();
        for (int i = 0; i < KEYS; i++) {
            order.add("key " + i);
        }
        Tasks<String, Object> tasks = new Config<String, Object>(Keys.STRINGS).cacheCapacity(2 * KEYS).batchMaxKeys(64).load(Bench::rows);
        AsyncLoadingCache<String, Object> caffeine = Caffeine.newBuilder().maximumSize(2 * KEYS).buildAsync(new CacheLoader<String, Object>() {
            @Override
            public Object load(String key) {
                return new String[] {key};
            }

            @Override
            public Map<String, Object> loadAll(Iterable<? extends String> keys) {
                return rows(keys);
            }
        });
        for (String key : order) {
            tasks.put(key, new String[] {key});
            caffeine.put(key, CompletableFuture.completedFuture(new String[] {key}));
        }
        Collections.shuffle(order, new Random(1));
        for (int turn = -WARM_UP; turn < ROUNDS; turn++) {
            measured(turn, "resident get", "kvlight", KEYS, () -> order.forEach(tasks::get));
            measured(turn, "resident get", "Caffeine", KEYS, () -> order.forEach(key -> caffeine.synchronous().getIfPresent(key)));
            // A thousand keys fit into the processor's caches.
            List<String> hot = order.subList(0, 1_000);
            measured(turn, "get, of 1,000 keys", "kvlight", KEYS, () -> repeated(hot, tasks::get));
            measured(turn, "get, of 1,000 keys", "Caffeine", KEYS, () -> repeated(hot, key -> caffeine.synchronous().getIfPresent(key)));
            measured(turn, "get, of 1,000 keys", "a bare call into C", KEYS, () -> repeated(hot, key -> kvl_version_number()));
            measured(turn, "resident fetch", "kvlight", KEYS, () -> order.forEach(key -> tasks.fetch(key).join()));
            measured(turn, "resident fetch", "Caffeine", KEYS, () -> order.forEach(key -> caffeine.get(key).join()));
            List<List<String>> ours = absent("ours", turn);
            List<List<String>> theirs = absent("theirs", turn);
            measured(turn, "1,000 absent keys, 64 a request", "kvlight", BATCHES * ABSENT, () -> ours.forEach(keys -> tasks.fetchAll(keys).join()));
            measured(turn, "1,000 absent keys, 64 a request", "Caffeine", BATCHES * ABSENT, () -> theirs.forEach(keys -> {
                List<CompletableFuture<?>> parts = new ArrayList<>();
                for (int at = 0; at < keys.size(); at += 64) {
                    parts.add(caffeine.getAll(keys.subList(at, Math.min(at + 64, keys.size()))));
                }
                parts.forEach(CompletableFuture::join);
            }));
        }
        FIGURES.forEach((name, costs) -> {
            double[] sorted = costs.stream().mapToDouble(Double::doubleValue).toArray();
            Arrays.sort(sorted);
            System.out.println(name + "\t" + Math.round(sorted[ROUNDS / 2]));
        });
        tasks.close();
    }
}
