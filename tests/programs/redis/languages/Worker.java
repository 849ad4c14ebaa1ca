import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import kvlight.Config;
import kvlight.Keys;
import kvlight.KvlightException;
import kvlight.Result;
import kvlight.Tasks;

/** A process with an engine of the Java package and an l2Url, driven by commands on its input, like worker.c. */
final class Worker {
    private Worker() {}

    record Row(String from) {}

    public static void main(String[] arguments) throws Exception {
        AtomicReference<String> answer = new AtomicReference<>("nobody");
        Config<String, Row> config = new Config<String, Row>(Keys.STRINGS)
                .cacheTtlMs(3_600_000)
                .timeoutMs(20_000)
                .l2TimeoutMs(10_000)
                .l2Url(arguments[0], row -> row.from().getBytes(StandardCharsets.UTF_8), bytes -> new Row(new String(bytes, StandardCharsets.UTF_8)));
        Tasks<String, Row> tasks;
        try {
            tasks = config.load(keys -> {
                Map<String, Row> rows = new HashMap<>();
                keys.forEach(key -> rows.put(key, new Row(answer.get())));
                return rows;
            });
        } catch (UnsatisfiedLinkError | KvlightException e) {
            System.out.println("refused " + e.getMessage());
            return;
        }
        try (tasks; BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = (line + "   ").split(" ", 4);
                String key = words[1];
                switch (words[0]) {
                    case "fetch" -> {
                        Result<String, Row> result = tasks.results(List.of(key)).get().get(0);
                        System.out.println("done " + key + " 0 " + result.source() + " " + (result.value() == null ? "-" : result.value().from()));
                    }
                    case "put" -> {
                        tasks.put(key, new Row(words[2]));
                        System.out.println("ok 0");
                    }
                    case "auto" -> {
                        answer.set(key);
                        System.out.println("ok 0");
                    }
                    case "state" -> System.out.println("state " + tasks.l2State());
                    default -> { }
                }
            }
        }
    }
}
