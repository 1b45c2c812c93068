import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.JsonEncoder;

/** What Avro for Java makes of schemas and data. A question a line, its parts divided by tabs, and a line for the answer:
 *  read WRITER READER BASE64, gives the datum as Avro's JSON; write SCHEMA JSON, gives it in base64;
 *  compatible READER WRITER, gives true or false; parse SCHEMA, gives ok. What fails gives "error" and why. */
class AvroOpinion {
  static Schema schema(String text) {
    return new Schema.Parser().parse(text);
  }

  static String read(Schema writer, Schema reader, byte[] bytes) throws Exception {
    var decoder = DecoderFactory.get().binaryDecoder(bytes, null);
    Object datum = new GenericDatumReader<Object>(writer, reader).read(null, decoder);
    if (!decoder.isEnd()) return "error bytes are left over";
    var out = new ByteArrayOutputStream();
    JsonEncoder encoder = EncoderFactory.get().jsonEncoder(reader, out);
    new GenericDatumWriter<Object>(reader).write(datum, encoder);
    encoder.flush();
    return out.toString(StandardCharsets.UTF_8);
  }

  static String write(Schema schema, String json) throws Exception {
    Object datum = new GenericDatumReader<Object>(schema).read(null, DecoderFactory.get().jsonDecoder(schema, json));
    var out = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
    new GenericDatumWriter<Object>(schema).write(datum, encoder);
    encoder.flush();
    return Base64.getEncoder().encodeToString(out.toByteArray());
  }

  static String answer(String[] parts) throws Exception {
    switch (parts[0]) {
      case "read":
        return read(schema(parts[1]), schema(parts[2]), Base64.getDecoder().decode(parts[3]));
      case "write":
        return write(schema(parts[1]), parts[2]);
      case "compatible":
        var found = SchemaCompatibility.checkReaderWriterCompatibility(schema(parts[1]), schema(parts[2]));
        return String.valueOf(found.getType() == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE);
      case "parse":
        schema(parts[1]);
        return "ok";
      default:
        return "error no such question";
    }
  }

  public static void main(String[] arguments) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String answer;
      try {
        answer = answer(line.split("\t", -1));
      } catch (Exception | StackOverflowError problem) {
        answer = "error " + problem;
      }
      out.println(answer.replace('\n', ' '));
    }
  }
}
