import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** The JDK's client as it comes: it offers HTTP/2 with every request. Arguments: a key, then triples of path, how the body is sent, body. */
class Client {
    public static void main(String[] given) throws Exception {
        var client = HttpClient.newHttpClient();
        for (int at = 2; at < given.length; at += 3) {
            var request = HttpRequest.newBuilder(URI.create(given[0] + given[at]))
                .header("Authorization", "Bearer " + given[1]);
            var body = given[at + 2];
            switch (given[at + 1]) {
                case "get" -> request.GET();
                case "length" -> request.POST(HttpRequest.BodyPublishers.ofString(body));
                default -> request.POST(
                    HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body.getBytes())));
            }
            if (!given[at + 1].equals("get")) {
                request.header("Content-Type", "application/json");
            }
            var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body().replace("\n", " "));
        }
    }
}
