import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import kvlight.Config;
import kvlight.Keys;

public class Hello {
    record User(String id, String name) {}

    static Map<String, User> rows(List<String> ids) {
        System.out.println("asked for " + String.join(", ", ids));
        return ids.stream().filter(id -> !id.equals("404")) // 404 is left out, and remembered as absent
                .collect(Collectors.toMap(id -> id, id -> new User(id, "user " + id)));
    }

    public static void main(String[] arguments) {
        var config = new Config<String, User>(Keys.STRINGS).cacheCapacity(10_000).cacheTtlMs(60_000);
        try (var users = config.load(Hello::rows)) {
            System.out.println(users.fetch("7").join().name());
            users.fetchAll(List.of("7", "404", "7")).join().forEach(user -> System.out.println(user == null ? "nobody" : user.name()));
            users.fetch("9").thenAccept(user -> System.out.println("later: " + user.name())).join();
        }
    }
}
