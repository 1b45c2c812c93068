import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** The API through Java's own client, which offers h2c with its first request: java Client.java PORT */
public class Client {
  static String base;
  static HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();

  static void must(boolean good, Object what) {
    if (good) return;
    System.out.println(what);
    System.exit(1);
  }

  static HttpRequest.Builder to(String path) {
    return HttpRequest.newBuilder(URI.create(base + path)).header("Content-Type", "application/json");
  }

  static HttpResponse<String> post(String path, String body) throws Exception {
    return client.send(to(path).POST(BodyPublishers.ofString(body)).build(), BodyHandlers.ofString());
  }

  public static void main(String[] arguments) throws Exception {
    base = "http://127.0.0.1:" + arguments[0];
    var info = client.send(to("/info").GET().build(), BodyHandlers.ofString());
    must(info.statusCode() == 200 && info.version() == HttpClient.Version.HTTP_2, info.version());
    var created = post("/ksql", "{\"ksql\":\"CREATE STREAM java_s (k STRING KEY, v INT) WITH (kafka_topic='java_s', value_format='JSON',"
        + " partitions=1); CREATE TABLE java_t AS SELECT k, COUNT(*) AS n FROM java_s GROUP BY k;\"}");
    must(created.statusCode() == 200 && created.body().contains("SUCCESS"), created.body());

    HttpResponse<InputStream> push = client.send(to("/query-stream").POST(BodyPublishers.ofString(
        "{\"sql\":\"SELECT k, v FROM java_s EMIT CHANGES;\",\"properties\":{\"auto.offset.reset\":\"earliest\"}}")).build(),
        BodyHandlers.ofInputStream());
    var rows = new BufferedReader(new InputStreamReader(push.body()));
    String header = rows.readLine();
    String query = header.substring(12, header.indexOf('"', 12));

    var pipe = new PipedOutputStream();
    var source = new PipedInputStream(pipe);
    pipe.write("{\"target\":\"java_s\"}\n".getBytes());
    for (int i = 0; i < 3; i++) pipe.write(("{\"k\":\"a\",\"v\":" + i + "}\n").getBytes());
    pipe.close();
    HttpResponse<InputStream> inserts = client.send(to("/inserts-stream").POST(BodyPublishers.ofInputStream(() -> source)).build(),
        BodyHandlers.ofInputStream());
    var acks = new BufferedReader(new InputStreamReader(inserts.body()));
    for (int i = 0; i < 3; i++) {
      String ack = acks.readLine(), row = rows.readLine();
      must(("{\"status\":\"ok\",\"seq\":" + i + "}").equals(ack), ack);
      must(("[\"a\"," + i + "]").equals(row), row);
    }
    push.body().close();

    for (int tries = 0; !post("/query-stream", "{\"sql\":\"SELECT n FROM java_t WHERE k = 'a';\"}").body().endsWith("\n[3]\n"); tries++) {
      must(tries < 200, "the table never had its rows");
      Thread.sleep(50);
    }
    for (int tries = 0; post("/close-query", "{\"queryId\":\"" + query + "\"}").statusCode() != 400; tries++) {
      must(tries < 100, "the query outlives its client");
      Thread.sleep(50);
    }
    var wrong = post("/ksql", "{\"ksql\":\"DROP STREAM nope;\"}");
    must(wrong.statusCode() == 400 && wrong.body().contains("\"error_code\":40001"), wrong.body());
    System.out.println("ok");
  }
}
